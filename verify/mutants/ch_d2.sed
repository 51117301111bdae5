# mutant: CH.D2 is a load and a store, no cas
# file: alloc/chunk.c
# scenario: huge_free
# killed by: not true|ThreadSanitizer:DEADLYSIGNAL
/^bool linn_chunk_end_huge/,/^}/s/return sync_u64_cas_acq_rel_relaxed(&chunk->guard, &seen,/return sync_u64_store_release(\&chunk->guard,/;/^bool linn_chunk_end_huge/,/^}/s/linn_guard_pack(g));/linn_guard_pack(g)), true;/
