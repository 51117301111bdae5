# mutant: BF.H1 acquire -> relaxed
# file: alloc/buf_count.h
# scenario: last_release_plain
# killed by: ThreadSanitizer: data race
/linn_refs_release(struct/,/^}/s/sync_u64_load_acquire/sync_u64_load_relaxed/
