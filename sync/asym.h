#ifndef LINN_SYNC_ASYM_H_
#define LINN_SYNC_ASYM_H_

/* asym: store-load order that only its rare side pays for.
 *
 *     hot side                          rare side
 *       store mine                        store theirs
 *       linn_asym_light()                 linn_asym_heavy()
 *       load theirs                       load mine
 *
 * At least one of the two loads sees the other side's store.  The light side
 * is a compiler barrier and no instruction; the heavy side is
 * membarrier(PRIVATE_EXPEDITED), which runs a full barrier on every processor
 * where a thread of this process runs (a thread that does not run had one when
 * it was switched out).
 *
 * Modes: the first use registers the process.  Where the system call is
 * refused (seccomp, old kernel) linn_asym_available() is false from the start,
 * the heavy side is a full barrier of the calling thread alone, and the hot
 * side must use a full barrier of its own: an exchange instead of its store.
 * If the call is refused only later (a seccomp filter installed after the first
 * use) the mode is "lost": hot sides that looked at the mode before may still
 * have only a light barrier behind them, so linn_asym_heavy() returns false
 * from then on and its caller must leave things as they are.
 *
 * Fork: the registration is inherited (measured); should a kernel answer "not
 * registered" all the same, heavy registers again and repeats.
 *
 * ThreadSanitizer cannot see membarrier, and needs not to: this pair orders a
 * store before a load of *another* word, which is no happens-before edge.  The
 * edges that protect plain data come from the words themselves: whoever acts
 * on what the heavy side's load saw loads it with acquire, and the hot side
 * leaves with a release store (sync/reclaim.h: RC.L1 and RC.P2).
 *
 * Checkers (LINN_CHECKER): both sides are full fences, which is stronger for
 * the checker and the same for the protocol; "heavy dropped" is a mutant.
 *
 * Progress: light is free; heavy is wait-free in user space and costs 0.4 to
 * 0.6 us.  Any thread, any signal handler.
 * Checked by: sync/asym_test.cc (store buffering). */

#include <stdbool.h>
#include <stdint.h>

#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum linn_asym_mode {
    LINN_ASYM_UNKNOWN = 0, /* nobody has asked yet */
    LINN_ASYM_MEMBARRIER,  /* light and heavy are a pair */
    LINN_ASYM_NONE,        /* refused at the first use: hot sides fence */
    LINN_ASYM_LOST,        /* refused later: heavy has no effect */
};

/* ATOMIC linn_asym_mode_word, written by the first user, and when it is lost
 *   AS.H1 ask    load   relaxed  hint; every mode that it can show is obeyed by
 *                                heavy (see "lost" above)
 *   AS.N1 first  cas    relaxed  the mode is its whole meaning
 *   AS.X1 lost   store  relaxed  the mode is its whole meaning
 *   AS.T1 test   store  relaxed  only while nobody is inside (tests) */
extern sync_u32 linn_asym_mode_word;

/* Registers, once; returns the mode.  Any thread, any number of times. */
enum linn_asym_mode linn_asym_start(void);

/* Whether a light barrier suffices on the hot side. */
static inline bool linn_asym_available(void) {
    uint32_t mode = sync_u32_load_relaxed(&linn_asym_mode_word); /* AS.H1 */
    if (mode == LINN_ASYM_UNKNOWN) mode = (uint32_t)linn_asym_start();
    return mode == LINN_ASYM_MEMBARRIER;
}

static inline void linn_asym_light(void) {
#if LINN_CHECKER
    sync_full_fence();
#else
    sync_compiler_barrier();
#endif
}

/* True when the order holds; false only in the mode "lost". */
bool linn_asym_heavy(void);

/* For tests, while no thread is on either side: behave as if the system call
 * was refused (true), or ask the system again (false). */
void linn_asym_force_unavailable(bool unavailable);

/* For tests: behave as if the system call began to be refused now. */
void linn_asym_force_lost(void);

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_ASYM_H_ */
