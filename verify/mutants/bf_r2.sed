# mutant: BF.R2 acq_rel -> acquire
# file: alloc/buf_count.h
# scenario: last_release_plain
# killed by: ThreadSanitizer: data race
s/sync_u64_cas_acq_rel_acquire(&c->word, &seen, next)/sync_u64_cas_acquire_acquire(\&c->word, \&seen, next)/
