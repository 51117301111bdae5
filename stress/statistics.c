#include "stress/statistics.h"

#include <stdlib.h>

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

struct stress_summary stress_summary_of(double *values, size_t count) {
    struct stress_summary s = {0, 0, 0, 0, 0};
    if (count == 0) return s;
    qsort(values, count, sizeof values[0], compare_doubles);
    s.count = count;
    s.smallest = values[0];
    s.largest = values[count - 1];
    s.median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    if (s.median > 0) s.spread = (s.largest - s.smallest) / 2 / s.median;
    return s;
}
