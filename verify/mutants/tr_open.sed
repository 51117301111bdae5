# mutant: a stale record is adopted before its survivor has moved
# file: sync/thread_registry.c
# scenario: fork_adoption
# killed by: data race|not true|signal|mapped
s/if (sync_u64_load_acquire(&adoption_open) != process) return false;/;/
