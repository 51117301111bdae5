# mutant: the owner does not say that it is inside
# file: alloc/fast_path.c
# scenario: cache_theft
# killed by: data race|not true
/^static inline uint64_t begin/,/^}/s/sync_u64_store_relaxed(&ref->mine, 0);/;/
