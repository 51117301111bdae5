# mutant: a subpage is taken for unlisted although SP.L1 failed
# file: alloc/subpage.c
# found as: FAILED|not true
/SP.L1 acquire/,/return LINN_POPPED_DROPPED/{
s/if (sync_guarded_u64_cas_acquire_relaxed(/if ((void)sync_guarded_u64_cas_acquire_relaxed(/
s/linn_subpage_guard_pack(g))) {/linn_subpage_guard_pack(g)), true) {/
}
