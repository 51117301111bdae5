# mutant: the flat table's size is told without a table
# file: alloc/page_map.c
# scenario: page_map_leaves
# killed by: data race|not true|signal|mapped
/Who decided may be stopped/,/^}/s/if (form_of(flat) == FORM_FLAT) {/{/
