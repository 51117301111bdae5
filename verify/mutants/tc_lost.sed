# mutant: a thief that lost the race drains all the same
# file: alloc/thread_cache.c
# scenario: thread_exit_drain
# killed by: data race|not true|signal|mapped|aborts
s/!body_seize(body, revoked\[i\].ctl, me)) {/(body_seize(body, revoked[i].ctl, me), false)) {/
