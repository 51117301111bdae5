#ifndef LINN_SYNC_SECTION_H_
#define LINN_SYNC_SECTION_H_

/* section: what a slow path enters before it works on a container, and the one
 * seam between linn and its locked twin.
 *
 *              lock-free (linn)            locked twin (LINN_LOCKED)
 *   enter      nothing                     takes the section's lock
 *   leave      nothing                     gives it back
 *   guarded    compare-and-swap            compare and store under the lock
 *
 * A guarded operation is written once, with the order that the lock-free form
 * needs; in the twin the lock orders everything, so it is a relaxed load and a
 * relaxed store: both compile to plain moves.  (Relaxed and not plain C
 * accesses, because hints are read outside the section in either variant.)
 * The two libraries differ in nothing else, so what a comparison measures is
 * the synchronization alone.
 *
 * Netty's locks are the model: one section an arena (PoolArena's lock: chunks,
 * bands, page trees) and one a partial-subpage stack (the lock of the size
 * class's list head).  Sections do not nest.
 *
 * Progress: lock-free, or blocking in the twin.
 * Signals: a handler may enter a section of the lock-free variant anywhere; in
 * the twin it deadlocks on a lock that its own thread holds, as in Netty. */

#include <stdbool.h>
#include <stdint.h>

#include "sync/atomic.h"

#ifndef LINN_LOCKED
#define LINN_LOCKED 0
#endif

#if LINN_LOCKED
#include "sync/lock.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct linn_section {
#if LINN_LOCKED
    struct linn_lock lock;
#else
    char nothing;
#endif
};

static inline void linn_section_init(struct linn_section *s) {
#if LINN_LOCKED
    linn_lock_init(&s->lock);
#else
    s->nothing = 0;
#endif
}

static inline void linn_section_enter(struct linn_section *s) {
#if LINN_LOCKED
    linn_lock_acquire(&s->lock);
#else
    (void)s;
#endif
}

static inline void linn_section_leave(struct linn_section *s) {
#if LINN_LOCKED
    linn_lock_release(&s->lock);
#else
    (void)s;
#endif
}

#if LINN_LOCKED

#define SYNC_DEFINE_GUARDED_CAS(type, value_t, order)                     \
    static inline bool sync_guarded_##type##_cas_##order(                 \
        sync_##type *w, value_t *seen, value_t next) {                    \
        value_t now = sync_##type##_load_relaxed(w); /* under the lock */ \
        if (now != *seen) {                                               \
            *seen = now;                                                  \
            return false;                                                 \
        }                                                                 \
        sync_##type##_store_relaxed(w, next); /* under the lock */        \
        return true;                                                      \
    }

#define SYNC_DEFINE_GUARDED_RMW(type, value_t, op, order, expression)       \
    static inline void sync_guarded_##type##_##op##_##order(sync_##type *w, \
                                                            value_t v) {    \
        value_t now = sync_##type##_load_relaxed(w); /* under the lock */   \
        sync_##type##_store_relaxed(w, expression);  /* under the lock */   \
    }

static inline bool sync_guarded_pair_cas_acq_rel_acquire(sync_pair *w,
                                                         sync_pair_value *seen,
                                                         sync_pair_value next) {
    sync_pair_value now = sync_pair_load_relaxed(w); /* under the lock */
    if (now.low != seen->low || now.high != seen->high) {
        *seen = now;
        return false;
    }
    sync_pair_store_relaxed(w, next); /* under the lock */
    return true;
}

#else

#define SYNC_DEFINE_GUARDED_CAS(type, value_t, order)     \
    static inline bool sync_guarded_##type##_cas_##order( \
        sync_##type *w, value_t *seen, value_t next) {    \
        return sync_##type##_cas_##order(w, seen, next);  \
    }

/* The result is not given: see atomic.h on what a used result costs. */
#define SYNC_DEFINE_GUARDED_RMW(type, value_t, op, order, expression)       \
    static inline void sync_guarded_##type##_##op##_##order(sync_##type *w, \
                                                            value_t v) {    \
        (void)sync_##type##_##op##_##order(w, v);                           \
    }

static inline bool sync_guarded_pair_cas_acq_rel_acquire(sync_pair *w,
                                                         sync_pair_value *seen,
                                                         sync_pair_value next) {
    return sync_pair_cas_acq_rel_acquire(w, seen, next);
}

#endif

SYNC_DEFINE_GUARDED_CAS(u32, uint32_t, relaxed_relaxed)
SYNC_DEFINE_GUARDED_CAS(u32, uint32_t, acquire_relaxed)
SYNC_DEFINE_GUARDED_CAS(u32, uint32_t, acq_rel_relaxed)
SYNC_DEFINE_GUARDED_CAS(u64, uint64_t, acquire_relaxed)
SYNC_DEFINE_GUARDED_CAS(u64, uint64_t, release_relaxed)
SYNC_DEFINE_GUARDED_CAS(u64, uint64_t, acq_rel_relaxed)
SYNC_DEFINE_GUARDED_RMW(u64, uint64_t, fetch_or, release, now | v)
SYNC_DEFINE_GUARDED_RMW(u64, uint64_t, fetch_or, acq_rel, now | v)
SYNC_DEFINE_GUARDED_RMW(u64, uint64_t, fetch_and, acq_rel, now &v)

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_SECTION_H_ */
