# mutant: the end of an adoption does not unlock
# file: sync/thread_registry.c
# scenario: adoption
# killed by: data race|not true|signal|mapped
/^void linn_thread_adopt_end/,/^}/s/pthread_mutex_unlock(&t->alive);/;/
