# mutant: the slow path does not look either
# file: alloc/thread_cache.c
# scenario: cache_theft
# killed by: data race|not true|signal|mapped|aborts
s/if (says_mine(ctl, v->mine) && ref->handle == core->handle) {/if (ref->handle == core->handle) {/
