# mutant: a thief looks whether the owner is inside before it revokes
# file: alloc/thread_cache.c
# scenario: cache_theft
# killed by: data race|not true
/^uint32_t linn_cache_drain_all/,/^}/s/uint64_t next = with_state(seen, LINN_BODY_REVOKED);/if (owner_is_inside(seen, pool_of(body))) continue; &/
s/if (owner_is_inside(revoked[^)]*) ||/(void)of; if (/
