# mutant: a chunk that does not become the spare is forgotten
# file: alloc/arena.c
# found as: nothing is lost
/^static void keep_as_spare/,/^}/s/^        unmap_chunk(arena->pool, chunk);/        ;/
