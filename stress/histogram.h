#ifndef LINN_STRESS_HISTOGRAM_H_
#define LINN_STRESS_HISTOGRAM_H_

/* histogram: how often each value came, in buckets that grow with the value.
 *
 *     value       0 1 2 ... 63 | 64 66 68 ... 126 | 128 132 ... | ...
 *     bucket      exact        | 32 of width 2    | 32 of width 4
 *
 * so a bucket is at most 1/32 of its value wide, and 64-bit values need 1,920
 * buckets.  A percentile is the upper end of the bucket in which it lies,
 * never more than the largest value seen. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STRESS_HISTOGRAM_STEPS_LOG2 = 5,
    STRESS_HISTOGRAM_BUCKETS = (64 - STRESS_HISTOGRAM_STEPS_LOG2 + 1)
                               << STRESS_HISTOGRAM_STEPS_LOG2,
};

struct stress_histogram {
    uint64_t count;
    uint64_t largest;
    uint64_t bucket[STRESS_HISTOGRAM_BUCKETS];
};

static inline uint32_t stress_histogram_bucket_of(uint64_t value) {
    if (value < UINT64_C(2) << STRESS_HISTOGRAM_STEPS_LOG2) {
        return (uint32_t)value;
    }
    uint32_t shift =
        63 - (uint32_t)__builtin_clzll(value) - STRESS_HISTOGRAM_STEPS_LOG2;
    return (shift << STRESS_HISTOGRAM_STEPS_LOG2) + (uint32_t)(value >> shift);
}

static inline void stress_histogram_add(struct stress_histogram *h,
                                        uint64_t value) {
    h->count++;
    h->bucket[stress_histogram_bucket_of(value)]++;
    if (value > h->largest) h->largest = value;
}

/* The largest value that falls into a bucket. */
uint64_t stress_histogram_bucket_end(uint32_t bucket);

/* Adds all of `from` to `into`. */
void stress_histogram_merge(struct stress_histogram *into,
                            const struct stress_histogram *from);

/* The value that `share` (0 .. 1) of all values do not exceed; 0 if empty. */
uint64_t stress_histogram_percentile(const struct stress_histogram *h,
                                     double share);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_HISTOGRAM_H_ */
