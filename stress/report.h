#ifndef LINN_STRESS_REPORT_H_
#define LINN_STRESS_REPORT_H_

/* report: how a cell tells compare what it measured: lines of text, one figure
 * each, ended by "end", so that a cell that died halfway is seen.
 *
 *     operations 123456
 *     wall_seconds 0.900012
 *     alloc_ticks 41 1234          bucket and count, once for each used bucket
 *     end
 *
 * Checked by: stress/report_test.cc. */

#include <stdbool.h>
#include <stdio.h>

#include "stress/lane.h"

#ifdef __cplusplus
extern "C" {
#endif

void stress_report_write(FILE *to, const struct stress_outcome *outcome);

/* False when the text is not a whole report; `error` says where. */
bool stress_report_read(const char *text, struct stress_outcome *outcome,
                        char *error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_REPORT_H_ */
