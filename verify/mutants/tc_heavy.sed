# mutant: the heavy barrier is left out
# file: alloc/thread_cache.c
# scenario: cache_theft
# killed by: data race|not true
s/if (!linn_asym_heavy()) return n;/;/
