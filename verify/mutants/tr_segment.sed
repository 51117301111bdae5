# mutant: two threads map the same segment
# file: sync/thread_registry.c
# scenario: registration
# killed by: data race|not true|signal|mapped
s/^    if (!sync_ptr_cas_release_relaxed($/    if (sync_ptr_cas_release_relaxed(/
