# mutant: SP.A2 acquire -> relaxed
# file: alloc/subpage.c
# scenario: subpage_retirement
# killed by: ThreadSanitizer: data race
/^void linn_subpage_claim/,/^}/s/sync_guarded_u64_cas_acquire_relaxed/sync_u64_cas_relaxed_relaxed/
