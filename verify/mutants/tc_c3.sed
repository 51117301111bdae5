# mutant: a body is seized by a store, not a cas
# file: alloc/thread_cache.c
# scenario: thread_exit_drain
# killed by: data race|not true
/^static bool body_seize/,/^}/s/return sync_u64_cas_acq_rel_relaxed(&body->ctl, &seen, next);/sync_u64_store_release(\&body->ctl, next); return true;/
