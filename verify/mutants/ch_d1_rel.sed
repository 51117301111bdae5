# mutant: CH.D1 acq_rel -> acquire
# file: alloc/chunk.c
# scenario: chunk_retirement
# killed by: ThreadSanitizer: data race
/^bool linn_chunk_retire/,/^}/s/sync_guarded_u64_cas_acq_rel_relaxed/sync_u64_cas_acquire_relaxed/
