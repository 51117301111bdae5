# mutant: an adopter does not look at the state behind the mutex
# file: sync/thread_registry.c
# scenario: two_adopters
# killed by: data race|not true
/^static bool adopt_by_mutex/,/^}/s/bool is_dead = state == LINN_THREAD_ORPHANED ||/bool is_dead = true || state == LINN_THREAD_ORPHANED ||/
