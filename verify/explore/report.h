#ifndef LINN_VERIFY_EXPLORE_REPORT_H_
#define LINN_VERIFY_EXPLORE_REPORT_H_

/* report: how an exploration ends early.  Both print, and end the process. */

#include <stdint.h>

/* What was explored is wrong: prints the execution and how to run it again. */
void report_failure(const char *what, uintptr_t site, uintptr_t other)
    __attribute__((noreturn));

/* What was explored is more than this checker can do. */
void report_limit(const char *what) __attribute__((noreturn));

/* For the line of a failure that says which execution it was. */
void report_name(const char *program, const char *options);

#endif /* LINN_VERIFY_EXPLORE_REPORT_H_ */
