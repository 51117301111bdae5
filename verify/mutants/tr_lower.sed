# mutant: an adopter that was wrong does not lower the hint
# file: sync/thread_registry.c
# scenario: adoption
# killed by: data race|not true|signal|mapped
s/if (state == LINN_THREAD_FREE) lower_search_begin(t->index);/;/
