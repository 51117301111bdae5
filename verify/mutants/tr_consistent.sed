# mutant: a dead owner's mutex is not made consistent
# file: sync/thread_registry.c
# scenario: adoption
# killed by: data race|not true|signal|mapped
s/if (\*owner_died) pthread_mutex_consistent(&t->alive);/;/
