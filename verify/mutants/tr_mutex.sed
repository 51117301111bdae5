# mutant: a stale record's mutex is not initialized anew
# file: sync/thread_registry.c
# scenario: fork_adoption
# killed by: data race|not true|signal|mapped
s/if (!by_mutex) init_mutex(t);/;/
