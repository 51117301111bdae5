# mutant: a stale record is adopted by its mutex
# file: sync/thread_registry.c
# scenario: fork_adoption
# killed by: data race|not true|signal|mapped
s/bool ours = is_of_process(word, process) ?/bool ours = true ?/
