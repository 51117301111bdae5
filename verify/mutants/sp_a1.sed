# mutant: SP.A1 acquire -> relaxed
# file: alloc/subpage.c
# scenario: subpage_retirement
# killed by: ThreadSanitizer: data race
/^uint32_t linn_subpage_reserve/,/^}/s/sync_guarded_u64_cas_acquire_relaxed/sync_u64_cas_relaxed_relaxed/
