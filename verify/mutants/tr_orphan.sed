# mutant: an adoption that was given up is not taken up
# file: sync/thread_registry.c
# scenario: adoption
# killed by: data race|not true|signal|mapped
s/bool is_dead = state == LINN_THREAD_ORPHANED ||/bool is_dead = false ||/
