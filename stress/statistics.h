#ifndef LINN_STRESS_STATISTICS_H_
#define LINN_STRESS_STATISTICS_H_

/* statistics: what is said of a few repetitions of one measurement.
 *
 * The median, because one disturbed repetition of three must not count; and the
 * spread, half the distance from the smallest to the largest as a part of the
 * median, because a table must not look more certain than it is. */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stress_summary {
    size_t count;
    double median;
    double smallest, largest;
    double spread; /* (largest - smallest) / 2 / median; 0 when median is 0 */
};

/* Sorts values[0 .. count) in place. */
struct stress_summary stress_summary_of(double *values, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_STATISTICS_H_ */
