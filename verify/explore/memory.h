#ifndef LINN_VERIFY_EXPLORE_MEMORY_H_
#define LINN_VERIFY_EXPLORE_MEMORY_H_

/* memory: plain accesses, the system's pages, and how all of it goes back.
 *
 * Races.  Each 8 bytes remember the last reads and writes of each thread; an access
 * that another one does not happen before, one of them a write and one of them plain,
 * is a data race.
 *
 * Undo.  The first write to 8 bytes in an execution keeps what was there; at its end
 * everything is written back, so that each execution begins with the same memory.
 *
 * Pages.  What the program maps comes from a range of its thread, at the same
 * addresses in every execution that has the same history in that thread.  Nothing is
 * given back to the system; an access to what is unmapped is a failure, and so is one
 * that the unmapping does not happen after. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Any number of times. */
void memory_init(void);

/* What is mapped now is so at the start of each execution. */
void memory_seal(void);

/* Everything as it was at the start of the execution. */
void memory_undo(void);

enum memory_kind { PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE };
void memory_access(uintptr_t address, size_t bytes, enum memory_kind kind,
                   uintptr_t site);

/* Writes the value of an atomic word (machine_settle). */
void memory_poke(uintptr_t address, const void *value, unsigned bytes);

void *memory_map(size_t bytes);
int memory_unmap(void *address, size_t bytes);

#endif /* LINN_VERIFY_EXPLORE_MEMORY_H_ */
