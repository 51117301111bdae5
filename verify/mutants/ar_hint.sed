# mutant: the hint of the new band is not set
# file: alloc/arena.c
# scenario: band_crossing
# killed by: not true
/^static void move_hint/,/^}/s/set_hint(arena, crossing.to, place);/;/
