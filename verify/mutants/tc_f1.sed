# mutant: TC.F1 release -> relaxed
# file: alloc/thread_cache.c
# scenario: cache_revocation
# killed by: ThreadSanitizer: data race
/^static void body_end/,/^}/s/sync_u64_store_release/sync_u64_store_relaxed/
