# mutant: the section of the dead is not closed
# file: sync/thread_registry.c
# scenario: adoption
# killed by: data race|not true|signal|mapped
s/^    sync_u64_store_release(&t->section, 0);/    ;/
