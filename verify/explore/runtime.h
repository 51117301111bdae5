#ifndef LINN_VERIFY_EXPLORE_RUNTIME_H_
#define LINN_VERIFY_EXPLORE_RUNTIME_H_

/* runtime: the entry points for compiled code, and what a scenario says of its
 * memory. */

#include <stddef.h>

/* Words that are only counted up (fetch_add, relaxed, result not used): their order
 * is not explored, since no outcome can depend on it. */
void runtime_statistic(const void *first, size_t bytes);

#endif /* LINN_VERIFY_EXPLORE_RUNTIME_H_ */
