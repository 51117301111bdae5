# mutant: who decided unmaps the table
# file: alloc/page_map.c
# scenario: page_map_growth
# killed by: data race|not true|signal|mapped
s/if (mine != NULL \&\& flat != mine) {/if (mine != NULL) {/
