# mutant: the light barrier is left out
# file: alloc/fast_path.c
# scenario: cache_theft
# killed by: data race|not true
/^static inline uint64_t begin/,/^}/s/    linn_asym_light();/    ;/
