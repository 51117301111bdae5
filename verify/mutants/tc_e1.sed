# mutant: TC.E1 release -> relaxed
# file: alloc/fast_path.c
# scenario: cache_theft
# killed by: data race|not true
/^static inline void done/,/^}/s/sync_u64_store_release/sync_u64_store_relaxed/
