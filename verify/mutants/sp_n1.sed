# mutant: SP.N1 release -> relaxed
# file: alloc/subpage.c
# scenario: subpage_retirement
# killed by: ThreadSanitizer: data race
/^bool linn_subpage_born/,/^}/s/sync_u64_store_release/sync_u64_store_relaxed/
