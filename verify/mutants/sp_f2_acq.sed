# mutant: SP.F2 acq_rel -> release
# file: alloc/subpage.c
# scenario: subpage_retirement
# killed by: ThreadSanitizer: data race
/^bool linn_subpage_leave/,/^}/s/sync_guarded_u64_cas_acq_rel_relaxed/sync_u64_cas_release_relaxed/
