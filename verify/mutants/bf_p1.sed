# mutant: BF.P1 release -> relaxed
# file: alloc/buf_count.h
# scenario: last_release_try_retain
# killed by: ThreadSanitizer: data race
s/sync_u64_store_release(&c->word, word | LINN_REFS_PUBLISHED)/sync_u64_store_relaxed(\&c->word, word | LINN_REFS_PUBLISHED)/
