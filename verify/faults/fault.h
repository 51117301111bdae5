#ifndef LINN_VERIFY_FAULTS_FAULT_H_
#define LINN_VERIFY_FAULTS_FAULT_H_

/* fault: makes the compare-and-swaps of one label fail, as they fail when another
 * thread comes in between; see labels.txt for what is done at which label.
 *
 * The environment says what: LINN_FAULT=LABEL:HOW:WHEN, HOW being other, tag, ver
 * or weak, WHEN first, second, or the seed of dice (one in three).  Read at the
 * first compare-and-swap of the process, which is in a constructor; or given to
 * linn_fault_plan. */

#include <stdbool.h>
#include <stddef.h>

#include "alloc/linn.h"

/* What the thread under test is doing, so that the other one does the same. */
extern linn_pool *linn_fault_pool;
extern size_t linn_fault_size;

/* Ends the other thread, which gives back all it has; before the pool that it
 * worked in is destroyed. */
void linn_fault_end_other(void);

void linn_fault_plan(const char *text);

/* No faults from here on. */
void linn_fault_stop(void);

/* "site sync/tagged_stack.h:92 TS.P1 12" for each site, how often it was reached,
 * and "tried 3 failed 3". */
void linn_fault_print(void);

#endif /* LINN_VERIFY_FAULTS_FAULT_H_ */
