# mutant: a magazine is emptied and keeps its count
# file: alloc/thread_cache.c
# scenario: cache_theft
# killed by: data race|not true|signal|mapped|aborts
/^static uint32_t magazine_take_all/,/^}/s/sync_u64_store_relaxed(&m->count, 0);/;/
