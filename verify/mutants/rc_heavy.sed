# mutant: a grace period begins without its heavy barrier
# file: sync/reclaim.c
# scenario: grace_period
# killed by: data race|not true|signal|mapped
s/g->begun = linn_asym_heavy();/g->begun = true;/
