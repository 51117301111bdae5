# mutant: who destroys late destroys the next pool
# file: alloc/pool.c
# scenario: pool_life
# killed by: data race|not true|signal|mapped|aborts
s/if (generation_of(word) != (uint64_t)(uintptr_t)pool >> 8 ||/if (/
