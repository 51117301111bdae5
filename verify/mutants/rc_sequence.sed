# mutant: a grace period does not advance the sequence
# file: sync/reclaim.c
# scenario: grace_period
# killed by: data race|not true|signal|mapped
s/sync_u64_fetch_add_acq_rel(&linn_reclaim_sequence, 1) + 1;/sync_u64_load_acquire(\&linn_reclaim_sequence);/
