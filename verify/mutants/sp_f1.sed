# mutant: SP.F1 release -> relaxed
# file: alloc/subpage.c
# scenario: subpage_retirement
# killed by: ThreadSanitizer: data race
s/sync_guarded_u64_cas_release_relaxed/sync_u64_cas_relaxed_relaxed/
