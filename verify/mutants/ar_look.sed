# mutant: the spare is taken with a load and no cas
# file: alloc/arena.c
# scenario: spare_chunk
# killed by: ThreadSanitizer: data race
s/if (sync_u32_cas_acq_rel_relaxed(&arena->spare, &slot, 0)) {/sync_u32_store_relaxed(\&arena->spare, 0); {/
