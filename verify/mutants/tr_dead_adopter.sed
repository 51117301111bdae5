# mutant: a dead adopter's adoption is not taken up
# file: sync/thread_registry.c
# scenario: adopter_dies
# killed by: data race|not true|signal|mapped
s/state == LINN_THREAD_ADOPTED));/state == 99));/
