# mutant: CH.B1 release -> relaxed
# file: alloc/chunk.c
# scenario: chunk_retirement
# killed by: ThreadSanitizer: data race
/^uint32_t linn_chunk_born/,/^}/s/sync_u64_store_release/sync_u64_store_relaxed/
