# mutant: a cleared hint is not checked again
# file: alloc/arena.c
# scenario: band_crossing
# killed by: not true
s/if (g.state != LINN_CHUNK_LIVE || g.band != band) return;/return;/
