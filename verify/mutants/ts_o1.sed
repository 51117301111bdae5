# mutant: TS.O1 acq_rel -> release
# file: sync/atomic.h
# scenario: tagged_stack_aba
# killed by: ThreadSanitizer: data race
s/^    sync_u128 was =$/    sync_u128 was = before;/
s/__sync_val_compare_and_swap((sync_u128 \*)(void \*)w, before, after);/(void)__atomic_compare_exchange_n((sync_u128 *)(void *)w, \&was, after, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);/
