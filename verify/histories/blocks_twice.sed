# mutant: a refill hands out its first block and keeps it in the magazine, too
# file: alloc/thread_cache.c
# found by: block_history
# found as: handed out twice
s/    for (uint32_t i = n - 1; i > 0; i--)$/    for (uint32_t i = n; i-- > 0;)/
