# mutant: a popper that saw nothing free unlists the subpage, come what may
# file: alloc/subpage.c
# found by: container_history
# found as: no moment explains the answer
/SP.L1 acquire/,/return LINN_POPPED_DROPPED/{
s/if (sync_guarded_u64_cas_acquire_relaxed(/if ((sync_u64_store_release(/
s/&sp->guard, &seen, linn_subpage_guard_pack(g))) {/\&sp->guard, linn_subpage_guard_pack(g)), true)) {/
}
