# mutant: a section that is older does not delay a period
# file: sync/reclaim.c
# scenario: grace_period
# killed by: data race|not true|signal|mapped
s/if (linn_reclaim_is_before(section, g->sequence)) return false;/;/
