#ifndef LINN_ALLOC_OPTIONS_H_
#define LINN_ALLOC_OPTIONS_H_

/* options: a user's wishes, the environment and the defaults become one valid
 * set of numbers, or one sentence that says what is wrong.
 *
 * Order: a field that the caller set, else its LINN_* variable, else the
 * default.  A message names the field, its value and the allowed range:
 *
 *   page_size = 6000: must be a power of two from 4096 to 65536
 *   LINN_CHUNK_ORDER = 13: must be 0 to 11 (a page tree holds 2048 pages, so
 *   Netty's 12 to 14 are not supported)
 *
 * A variable holds decimal digits and may end with k (1024) or m (1024 * 1024):
 * LINN_PAGE_SIZE=16k.  No sign, no space; an empty one is an error.
 * LINN_CLASSES holds one of the words fine and power-of-two, LINN_LOCK (which the
 * locked twin alone reads) the name of a lock.
 *
 * The default pool cannot refuse: a bad variable is printed to stderr once, and
 * its default is used.
 *
 * Environment: copied with getenv at the first call, which is not safe against
 * a concurrent setenv; linn makes that call in its constructor.  Plain getenv,
 * not secure_getenv: a variable cannot do more than choose a number in a range
 * that is checked, and names no file, so a set-user-id program has nothing to
 * fear from it.  LINN_SHOW_OPTIONS=1 prints every option, its value and where
 * it came from (default, environment, caller) to stderr when a pool is made.
 *
 * Progress: lock-free.  Any thread, but no signal handler (getenv). */

#include <stdbool.h>
#include <stddef.h>

#include "alloc/linn.h"
#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ATOMIC environment, the copy that all use; immutable once it is there
 *   OP.E1 read    cas       acq_rel  pairs OP.E2 OP.E3  the copy is complete
 *   OP.E2 use     load      acquire  pairs OP.E1 OP.E3
 *   OP.E3 forget  exchange  acq_rel  pairs OP.E1 OP.E2  tests, one thread
 * ATOMIC reported, bit 0 when bad variables have been printed, bit 1 the lock
 *   OP.R1 report  fetch_or  relaxed  one of the callers prints */
struct linn_options_state {
    sync_ptr environment;
    sync_u32 reported;
};
extern struct linn_options_state linn_options_state;

/* Fills *out (every field valid, none LINN_DEFAULT).  in may be NULL.  False:
 * error[0..error_size) has the message, and *out is not to be used. */
bool linn_options_resolve(const struct linn_options *in,
                          struct linn_options *out, char *error,
                          size_t error_size);

/* The same for the default pool: bad variables are reported and ignored. */
void linn_options_resolve_default(struct linn_options *out);

/* Other switches of the environment, read once. */
struct linn_switches {
    bool show_options; /* LINN_SHOW_OPTIONS, set and neither empty nor 0 */
    const char *lock;  /* LINN_LOCK: lock of the locked twin, or NULL */
};
const struct linn_switches *linn_switches_get(void);

/* Prints `out`, which linn_options_resolve made of `in` (may be NULL), to `fd`:
 * one option a line with its value and origin.  Allocates nothing. */
void linn_options_show(int fd, const char *title, const struct linn_options *in,
                       const struct linn_options *out);

/* Prints the lock that the locked twin uses, as one more line of the above. */
void linn_options_show_lock(int fd, const char *lock);

/* Reports to stderr, once, that LINN_LOCK is none of `names`. */
void linn_options_reject_lock(const char *names);

/* For tests: the next call reads the environment anew.  No other call may run,
 * and what linn_switches_get returned is gone. */
void linn_options_forget_environment(void);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_OPTIONS_H_ */
