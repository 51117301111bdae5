# mutant: a seized record is seized again
# file: sync/thread_registry.c
# scenario: fork_adoption
# killed by: data race|not true|signal|mapped
s/if (state_of(word) == LINN_THREAD_SEIZED) return false;/;/
