# mutant: a section is entered without the light barrier
# file: sync/reclaim.h
# scenario: grace_period
# killed by: data race|not true|signal|mapped
/^static inline void linn_reclaim_enter/,/^}/s/linn_asym_light();/;/
