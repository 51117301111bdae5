# mutant: a reservation does not compare the life
# file: alloc/subpage.c
# scenario: partial_peek
# killed by: already free
s/if (seen >> LINN_SUBPAGE_CLASS_SHIFT != life) return 0;/(void)life;/
