# mutant: TC.T1 acquire -> relaxed
# file: alloc/thread_cache.c
# scenario: cache_revocation
# killed by: ThreadSanitizer: data race
/^static bool owner_is_inside/,/^}/s/sync_u64_load_acquire/sync_u64_load_relaxed/
