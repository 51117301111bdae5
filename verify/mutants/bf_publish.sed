# mutant: the last release of a published buffer is a plain store
# file: alloc/buf_count.h
# scenario: last_release_try_retain
# killed by: not true|ThreadSanitizer: data race
s/r == LINN_COUNTED_LAST && !linn_refs_is_published(seen)/r == LINN_COUNTED_LAST/
