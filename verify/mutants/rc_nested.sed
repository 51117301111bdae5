# mutant: leaving the inner section leaves the outer one
# file: sync/reclaim.h
# scenario: grace_period
# killed by: data race|not true|signal|mapped
s/mine = (mine & LINN_RECLAIM_DEPTH_MASK) == 1 ? 0 : mine - 1;/mine = 0;/
