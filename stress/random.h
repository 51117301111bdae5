#ifndef LINN_STRESS_RANDOM_H_
#define LINN_STRESS_RANDOM_H_

/* random: a small generator, the same numbers for the same seed everywhere.
 * (splitmix64: one addition and two multiplications, about a nanosecond.) */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint64_t stress_random_mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t stress_random_next(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return stress_random_mix(*state);
}

/* Uniform in 0 .. bound - 1; the bias is below bound / 2^32. */
static inline uint32_t stress_random_below(uint64_t *state, uint32_t bound) {
    return (uint32_t)((stress_random_next(state) >> 32) * bound >> 32);
}

/* Uniform in (0, 1]. */
static inline double stress_random_unit(uint64_t *state) {
    return ((double)(stress_random_next(state) >> 11) + 1.0) * 0x1p-53;
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_RANDOM_H_ */
