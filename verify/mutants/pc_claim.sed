# mutant: a new pool has the old one's generation
# file: alloc/pool.c
# scenario: pool_life
# killed by: data race|not true|signal|mapped|aborts
s/uint64_t next = (generation_of(seen) + 1) << 8 | LINN_POOL_BUILDING;/uint64_t next = (generation_of(seen) | 1) << 8 | LINN_POOL_BUILDING;/
