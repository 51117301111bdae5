# mutant: BF.T2 acquire -> relaxed
# file: alloc/buf_count.h
# scenario: last_release_try_retain
# killed by: ThreadSanitizer: data race
s/sync_u64_cas_acquire_relaxed(&c->word, &seen, next)/sync_u64_cas_relaxed_relaxed(\&c->word, \&seen, next)/
