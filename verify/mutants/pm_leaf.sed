# mutant: two threads make one leaf
# file: alloc/page_map.c
# scenario: page_map_leaves
# killed by: data race|not true|signal|mapped
s/if (!sync_ptr_cas_acq_rel_acquire(&leaves\[index\], &seen, mine)) {/(void)seen; sync_ptr_store_release(\&leaves[index], mine); if (false) {/
