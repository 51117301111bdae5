#ifndef LINN_VERIFY_EXPLORE_FIBER_H_
#define LINN_VERIFY_EXPLORE_FIBER_H_

/* fiber: stacks to switch between, each with its own thread-local variables.
 *
 * Number 0 is the scheduler itself; the others are begun anew for each execution,
 * with thread-locals as the program's file has them.  Only the program's own block
 * is exchanged (libc's errno and such are shared). */

#include <stdbool.h>
#include <stdint.h>

/* Before all. */
void fiber_init(void);

void fiber_begin(int fiber, void (*function)(int fiber));

/* It begins with the thread-locals that it has now, from now on. */
void fiber_keep(int fiber);

void fiber_switch(int from, int to);

/* Whether an address is of a fiber's stack or of the thread-locals. */
bool fiber_is_private(uintptr_t address);

#endif /* LINN_VERIFY_EXPLORE_FIBER_H_ */
