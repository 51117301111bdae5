#include "stress/histogram.h"

#include <math.h>

#define STEPS (UINT32_C(1) << STRESS_HISTOGRAM_STEPS_LOG2)

uint64_t stress_histogram_bucket_end(uint32_t bucket) {
    if (bucket < 2 * STEPS) return bucket;
    uint32_t shift = (bucket >> STRESS_HISTOGRAM_STEPS_LOG2) - 1;
    uint64_t begin = (uint64_t)(bucket - shift * STEPS) << shift;
    return begin + ((UINT64_C(1) << shift) - 1);
}

void stress_histogram_merge(struct stress_histogram *into,
                            const struct stress_histogram *from) {
    into->count += from->count;
    if (from->largest > into->largest) into->largest = from->largest;
    for (uint32_t i = 0; i < STRESS_HISTOGRAM_BUCKETS; i++) {
        into->bucket[i] += from->bucket[i];
    }
}

uint64_t stress_histogram_percentile(const struct stress_histogram *h,
                                     double share) {
    if (h->count == 0) return 0;
    double wanted = ceil((double)h->count * share);
    uint64_t rank = wanted < 1.0 ? 1 : (uint64_t)wanted;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < STRESS_HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank) {
            uint64_t end = stress_histogram_bucket_end(i);
            return end < h->largest ? end : h->largest;
        }
    }
    return h->largest;
}
