# mutant: what a dead adopter had seized stays so
# file: sync/thread_registry.c
# scenario: fork_adoption
# killed by: data race|not true|signal|mapped
s/^        release_what_it_seized(t);/        (void)release_what_it_seized;/
