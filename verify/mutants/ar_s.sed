# mutant: AR.S2 acq_rel -> relaxed
# file: alloc/arena.c
# scenario: spare_chunk
# killed by: ThreadSanitizer: data race
s/if (sync_u32_cas_acq_rel_relaxed(&arena->spare, &slot, 0)) {/if (sync_u32_cas_relaxed_relaxed(\&arena->spare, \&slot, 0)) {/
