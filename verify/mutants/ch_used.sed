# mutant: a chunk in use is retired
# file: alloc/chunk.c
# scenario: chunk_retirement
# killed by: ThreadSanitizer: data race
s/if (g.used != 0) return false;/;/
