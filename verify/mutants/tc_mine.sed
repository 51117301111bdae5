# mutant: the owner does not look whether its cache is still its own
# file: alloc/fast_path.c
# scenario: cache_theft
# killed by: data race|not true|signal|mapped|aborts
s/\*ours = sync_u64_load_relaxed_is(&(\*body)->ctl, mine);/*ours = true;/
