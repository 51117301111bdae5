#include "stress/sizes.h"

#include <math.h>
#include <stddef.h>

#include "stress/random.h"

struct share {
    uint32_t percent;
    uint32_t smallest, largest;
};

static const struct share proxy[] = {
    {14, 9, 64},     {24, 256, 256},  {11, 513, 640},     {33, 1024, 1024},
    {3, 2048, 2048}, {4, 1025, 5600}, {11, 16384, 17600},
};

static uint32_t draw_proxy(uint64_t *random) {
    uint32_t left = stress_random_below(random, 100);
    for (size_t i = 0; i < sizeof proxy / sizeof proxy[0]; i++) {
        if (left < proxy[i].percent) {
            uint32_t width = proxy[i].largest - proxy[i].smallest + 1;
            return proxy[i].smallest + stress_random_below(random, width);
        }
        left -= proxy[i].percent;
    }
    return proxy[0].smallest; /* the shares add up to 100: not reached */
}

void stress_sizes_proxy(uint32_t *table, uint64_t seed) {
    for (size_t i = 0; i < STRESS_SIZES; i++) {
        table[i] = draw_proxy(&seed);
    }
}

void stress_sizes_gateway(uint32_t *table, uint64_t seed) {
    for (size_t i = 0; i < STRESS_SIZES; i++) {
        /* Box and Muller's way from two uniform numbers to a normal one. */
        double radius = sqrt(-2.0 * log(stress_random_unit(&seed)));
        double normal = radius * cos(2.0 * M_PI * stress_random_unit(&seed));
        double size = exp(7.6 + 1.0 * normal);
        if (size < 8.0) size = 8.0;
        if (size > 1048576.0) size = 1048576.0;
        table[i] = (uint32_t)size;
    }
}
