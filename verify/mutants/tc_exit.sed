# mutant: a thread ends and keeps its cache
# file: alloc/thread_cache.c
# scenario: thread_exit_drain
# killed by: data race|not true|signal|mapped
/^static void at_thread_exit/,/^}/s/drop_all(state);/;/
