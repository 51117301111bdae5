# mutant: a buffer that is not published is found
# file: alloc/buf_count.h
# scenario: last_release_try_retain
# killed by: not true|ThreadSanitizer: data race
s/if (!linn_refs_is_published(seen)) return LINN_COUNTED_UNPUBLISHED;/;/
