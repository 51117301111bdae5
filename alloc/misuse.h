#ifndef LINN_ALLOC_MISUSE_H_
#define LINN_ALLOC_MISUSE_H_

/* misuse: the one way in which linn stops a program that would corrupt memory.
 *
 *   linn: linn_free(0x7f12a4003048): inside a block, not its start: block
 *   0x7f12a4003040 of 64 bytes (class 1)
 *
 * In brackets stands "class N", "group run" or "huge"; nothing where no block is
 * left, as when the pages of the pointer are free.
 *
 * The message is one line, built without allocating and written with one
 * writev, so this may be called from a signal handler and with every structure
 * in any state.  Progress: wait-free up to the handler. */

#include <stddef.h>
#include <stdint.h>

#include "alloc/linn.h"
#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ATOMIC handler, the user's function or NULL
 *   MU.H1 set     exchange  acq_rel  pairs MU.H1 MU.H2  what it needs is there
 *   MU.H2 report  load      acquire  pairs MU.H1 */
struct linn_misuse_state {
    sync_ptr handler;
};
extern struct linn_misuse_state linn_misuse_state;

/* LINN_NAME_OF(free) is "linn_free", and "linn_locked_free" in the twin: a report
 * names the library that ran, also from modules below the function, which the
 * twin's renaming does not reach.  (In the function itself __func__ does so.) */
#if defined(LINN_LOCKED) && LINN_LOCKED
#define LINN_NAME_OF(rest) "linn_locked_" #rest
#else
#define LINN_NAME_OF(rest) "linn_" #rest
#endif

/* Reports `what` about `pointer` to the handler, or prints it and aborts.
 * Returns only when a handler is installed and returns.  `block` NULL: it lies
 * in no block of ours.  `detail` may be NULL; it is appended in brackets. */
void linn_misuse_report(const char *function, const void *pointer,
                        const void *block, size_t block_bytes, const char *what,
                        const char *detail) __attribute__((cold, noinline));

/* A small snprintf for messages: %s %p %zu %u %lu %% and nothing more; always
 * terminates; async-signal-safe.  Returns the length it would have needed. */
size_t linn_format(char *out, size_t out_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_MISUSE_H_ */
