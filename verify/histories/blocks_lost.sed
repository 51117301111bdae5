# mutant: of a cache that is taken away, a magazine's last block is forgotten
# file: alloc/thread_cache.c
# found by: block_history
# found as: blocks handed out and nobody else in a call
s/linn_arena_give(core, i . 2, blocks, n, LINN_NAME_OF(free));/n < 2 ? n : linn_arena_give(core, i \/ 2, blocks, n - 1, LINN_NAME_OF(free));/
