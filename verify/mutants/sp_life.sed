# mutant: a reservation does not compare the life
# file: alloc/subpage.c
# scenario: subpage_retirement
# killed by: not true
s/if (seen >> LINN_SUBPAGE_CLASS_SHIFT != life) return 0;/(void)life;/
