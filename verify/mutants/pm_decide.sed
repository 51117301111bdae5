# mutant: two threads decide the form
# file: alloc/page_map.c
# scenario: page_map_growth
# killed by: data race|not true|signal|mapped
s/if (sync_ptr_cas_acq_rel_acquire(&linn_page_map.flat, &seen, wanted)) {/sync_ptr_store_release(\&linn_page_map.flat, wanted); {/
