# mutant: a thief takes a cache whose owner is inside
# file: alloc/thread_cache.c
# scenario: cache_revocation
# killed by: ThreadSanitizer: data race
s/if (owner_is_inside([^)]*) ||/if (/
