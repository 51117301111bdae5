# mutant: a block in a magazine is not recognized as free
# file: alloc/linn.c
# found as: FAILED: a misuse(d call does nothing| is reported once)
s/    return linn_cache_holds_hint(b->core, b->size_class, p);/    return b->core == NULL;/
