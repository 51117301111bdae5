#ifndef LINN_SYNC_THREAD_REGISTRY_H_
#define LINN_SYNC_THREAD_REGISTRY_H_

/* thread_registry: a record for each thread that outlives it, and the one
 * honest answer to "is that thread dead?".
 *
 *     directory   | segment | segment | ... |          mapped when first needed,
 *                      |                                never unmapped or re-typed
 *     record      | word | section | adopts | index | alive (robust mutex) |
 *                 | payload: `payload_bytes` that belong to the user        |
 *
 *     word        | life : 24 | process : 20 | adopter : 17 | state : 3 |
 *
 *                 register             unregister
 *         FREE --------------> LIVE ----------------> FREE
 *                               | adopt_begin (its thread is dead)
 *                               v            adopt_end
 *          ORPHANED <-------- ADOPTED ---------------> FREE
 *              |   abandon       ^
 *              +-----------------+ adopt_begin
 *
 * Death.  Each record has a robust mutex that its thread locks at registration
 * and holds for life.  Only a trylock tells death (EOWNERDEAD): it is seen for
 * return, pthread_exit, raw exit, cancel, for the main thread, and for an
 * adopter that died midway.  Never pids or tids: a dead leader's tid answers, a
 * vforked child shares memory and not its pid.  The mutex is also the claim of a
 * FREE record, so a thread killed while it registers leaves a record that the
 * next one takes.
 *     (G1)  a record in LIVE or ADOPTED has its mutex locked by its thread or
 *           its adopter, or that one is dead, or the record is stale;
 *     (G2)  the word leaves LIVE, ADOPTED and ORPHANED only by a CAS of the
 *           thread itself or of the one adopter.
 *
 * Fork.  A page with MADV_WIPEONFORK holds the process generation: the child
 * reads 0 there and installs the next one.  A record of an earlier generation is
 * *stale*: its thread does not exist here, and its mutex stays EBUSY for ever.
 * It can be adopted once adoption is open; exclusive is then the CAS of the word
 * alone, which names the adopter (G2), and the adopter's own record remembers
 * what it adopts, so that whoever adopts the adopter sets it free.  Adoption
 * opens when the surviving thread says so (linn_thread_open_adoption), that is
 * when it has moved what it wants out of its own old record; in a child whose
 * surviving thread had no record it is open from the start.
 *
 * Robust lists.  A thread's list of robust mutexes is broken if a signal handler
 * locks one while the interrupted code is between two steps of locking another.
 * So nothing here locks or unlocks while the thread's list_op_pending is set or
 * while the handler has interrupted this module; the caller is told NULL or
 * false, uses its shared path and asks again later.
 *
 * ThreadSanitizer does not see that the kernel gives a dead thread's mutex away,
 * so what an adopter reads of a dead thread's payload needs an edge of its own
 * there: a word that the thread stores with release after each piece of work and
 * the adopter loads with acquire first (the busy word of a thread cache is one).
 *
 * Progress: lock-free (one system call the first time a thread registers; mmap
 * when a segment is new).  Lost for good: a record each time a fork happens while
 * another thread is between the mutex and the word (a few instructions), in the
 * child only.
 * Signals: everything here may be called from a handler; see above.  A handler
 * that leaves this module by longjmp has lost it for its thread: slow, correct.
 * Spec: tla/ThreadCache.tla (Kill, SeizeDead, Reuse).
 * Checked by: sync/thread_registry_test.cc, sync/thread_fork_test.cc. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/atomic.h"
#include "sync/cacheline.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LINN_THREADS_MAX = 65536,
    LINN_THREADS_PER_SEGMENT = 32,
};

enum linn_thread_state {
    LINN_THREAD_FREE = 0,
    LINN_THREAD_LIVE,     /* registered */
    LINN_THREAD_ADOPTED,  /* an adopter holds the mutex */
    LINN_THREAD_SEIZED,   /* stale; `adopter` names who has it */
    LINN_THREAD_ORPHANED, /* an adopter gave up; the next one may try */
};

struct linn_thread {
    /* ATOMIC word {life, process, adopter, state}, written by who holds the
     * mutex; of a stale record by a CAS alone
     *   TR.H1 look   load   relaxed  hint; the mutex or a CAS decides
     *   TR.L1 look   load   acquire  pairs TR.E1  the mutex may be a new one
     *   TR.A1 claim  cas    acq_rel  pairs TR.F1 TR.E1  the last user of the
     *                                payload is done with it
     *   TR.F1 leave  cas    acq_rel  pairs TR.A1
     *   TR.D1 adopt  cas    acq_rel  pairs TR.O1 TR.O2  the payload is as the
     *                                one before left it (a dead thread's by the
     *                                mutex: the kernel gave it up)
     *   TR.S1 seize  cas    acq_rel  pairs TR.O1 TR.O2
     *   TR.E1 end    cas    acq_rel  pairs TR.A1 TR.L1  the payload is empty
     *   TR.O1 leave  cas    acq_rel  pairs TR.D1 TR.S1
     *   TR.O2 free   cas    acq_rel  pairs TR.D1 TR.S1  made by who adopts the
     *                                dead adopter */
    sync_u64 word;

    /* The read section of sync/reclaim.h, whose card it has. */
    sync_u64 section;

    /* ATOMIC adopts, index + 1 of the stale record that this thread has seized
     * or is about to; written by this thread
     *   TR.N1 name   store  relaxed  published by TR.S1: who can see the seized
     *                                word and know this thread dead sees it
     *   TR.N2 clear  store  relaxed  by the thread, or by its adopter
     *   TR.H2 who    load   relaxed  its thread is dead, or is the reader */
    sync_u32 adopts;

    uint32_t index;        /* never changes */
    pthread_mutex_t alive; /* robust; held by the thread for life */
} LINN_ALIGNED_LINE;

/* ---- records ---- */

/* Fixes the size of the payload; before any other call.  Any thread, any number
 * of times, always with the same size. */
void linn_thread_registry_init(size_t payload_bytes);

/* A record for the calling thread, its payload as the last user left it (zero
 * the first time).  NULL when all are taken, when no memory is to be had, when a
 * handler has interrupted this module or a robust mutex, and after the thread has
 * ended: the caller uses its shared path, and asks again later unless
 * linn_thread_ended(). */
struct linn_thread *linn_thread_register(void);

/* Gives the record back.  By its own thread, which has emptied the payload and is
 * in no section.  In a handler that has interrupted a robust mutex the record is
 * left to whoever adopts it after the thread. */
void linn_thread_unregister(struct linn_thread *t);

/* The calling thread's record; NULL if it has none. */
struct linn_thread *linn_thread_own(void);

static inline void *linn_thread_payload(struct linn_thread *t) {
    return t + 1;
}

static inline struct linn_thread *linn_thread_of_payload(void *payload) {
    return (struct linn_thread *)payload - 1;
}

static inline uint32_t linn_thread_index(const struct linn_thread *t) {
    return t->index;
}

/* NULL if there is no such record yet. */
struct linn_thread *linn_thread_at(uint32_t index);

/* One past the highest index ever claimed.  Never goes back. */
uint32_t linn_thread_limit(void);

/* Counts the registrations of this record, modulo 2^24. */
uint32_t linn_thread_life(const struct linn_thread *t);

/* May be outdated before it returns, but for one's own record. */
enum linn_thread_state linn_thread_state_hint(const struct linn_thread *t);

/* ---- death ---- */

/* True if the record's thread (or the adopter before us) is dead, and the caller
 * is now its only adopter.  False if it lives, if the record is FREE, if another
 * adopts it, if it is stale and adoption is not open (or the caller has no record
 * of its own to be named by), if the caller is adopting another, or if a handler
 * has interrupted (see above). */
bool linn_thread_adopt_begin(struct linn_thread *t);

/* The payload is empty: closes the section, and the record is FREE. */
void linn_thread_adopt_end(struct linn_thread *t);

/* Gives up midway; the payload is consistent, and the next adopter goes on.  Not
 * called yet: maintenance that may stop after a bounded piece of work (lifetimes)
 * needs it, and it is how a record comes to be ORPHANED. */
void linn_thread_adopt_abandon(struct linn_thread *t);

/* ---- fork ---- */

/* Of this process: 1 at first, larger in every forked child than in its parent.
 * Never 0. */
uint64_t linn_process_generation(void);

/* Whether `t` was registered before the fork that made this process. */
bool linn_thread_is_stale(const struct linn_thread *t);

/* For the thread that survived a fork: a new record in place of `old`, which
 * stays as it is until it is adopted.  NULL as linn_thread_register, and also
 * while `old` is inside a read section (its frames will still leave it). */
struct linn_thread *linn_thread_reregister(struct linn_thread *old);

/* The surviving thread wants nothing more from its old record: stale records may
 * be adopted from now on. */
void linn_thread_open_adoption(void);

/* ---- exit ---- */

/* `hook` is called with the thread's record in the last round of the thread's
 * destructors, and gives it up (linn_thread_unregister).  Without a hook the
 * record is given up at once. */
void linn_thread_registry_at_exit(void (*hook)(struct linn_thread *t));

/* Whether the last round is over for the calling thread. */
bool linn_thread_ended(void);

/* ---- for tests ---- */

/* At most `max` records from now on. */
void linn_thread_registry_set_max(uint32_t max);

/* The next registration of FREE record `t` begins life `life` + 1. */
void linn_thread_set_life(struct linn_thread *t, uint32_t life);

/* Called, if set, by every registration and adoption while it is inside this
 * module: after the mutex is locked and before the word says so. */
void linn_thread_registry_set_probe(void (*probe)(void));

/* Behave as a kernel without MADV_WIPEONFORK, before the first use. */
void linn_process_generation_without_wipe(void);

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_THREAD_REGISTRY_H_ */
