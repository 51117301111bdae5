# mutant: of a cache that is taken away, a magazine's last block is forgotten
# file: alloc/thread_cache.c
# found by: block_history
# found as: blocks handed out and nobody else in a call
s/uint32_t given = linn_arena_give(core, i . 2, blocks, n, "linn_free");/uint32_t given = n < 2 ? n : linn_arena_give(core, i \/ 2, blocks, n - 1, "linn_free");/
