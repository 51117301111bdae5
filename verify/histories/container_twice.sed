# mutant: a claim clears its bits without looking whether they are still set
# file: alloc/subpage.c
# found by: container_history
# found as: handed out twice
/sync_guarded_u64_cas_acquire_relaxed(&sp->bits\[w\], &seen,/{
N
s/if (sync_guarded_u64_cas_acquire_relaxed(&sp->bits\[w\], &seen,\n *seen & ~take)) {/if ((sync_guarded_u64_fetch_and_acq_rel(\&sp->bits[w], ~take), true)) {/
}
