# mutant: a thief drains without revoking first
# file: alloc/thread_cache.c
# scenario: cache_theft
# killed by: data race|not true
/^uint32_t linn_cache_drain_all/,/^}/s/uint64_t next = with_state(seen, LINN_BODY_REVOKED);/uint64_t next = seen;/
