#ifndef LINN_SYNC_LOCK_H_
#define LINN_SYNC_LOCK_H_

/* lock: the locks of the locked twin, behind one interface.
 *
 *   mutex    pthread's, sleeps; the default, because the queueing locks collapse
 *            when there are more threads than processors
 *   fas      test-and-set            |
 *   ticket   first come, first served|  Concurrency Kit's; they spin
 *   mcs      queue of own nodes      |
 *   clh      queue of nodes handed on|
 *   rwlock   its writer side         |
 *
 * The kind is a choice of the process, made before the first lock is
 * initialised; each lock keeps the kind it was initialised with.
 *
 * Nodes.  mcs and clh need a node an acquisition.  A thread owns one, in its
 * thread-local word, so an acquisition takes no time to find it; a thread that
 * holds several locks takes further ones from a pool.  The holder keeps the
 * node's address in the lock (the lock guards it).  An mcs node is its thread's
 * again after the release; a clh release leaves our node to the successor and
 * gives us the predecessor's.  A thread that ends leaves its node to the pool.
 * Nodes are never unmapped, because a clh node may outlive its first thread.
 *
 * A lock is for ever (it lies in a type-stable descriptor), so there is no fini.
 *
 * ThreadSanitizer cannot see CK's inline assembly: acquire and release tell it
 * what they mean, and it is told to look away inside them.  That reports still
 * come is proved by sync/lock_race_test.sh.
 *
 * Progress: blocking, which is the point.  Not for signal handlers. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sync/cacheline.h"

#ifdef __cplusplus
extern "C" {
#endif

enum linn_lock_kind {
    LINN_LOCK_MUTEX = 0,
    LINN_LOCK_FAS,
    LINN_LOCK_TICKET,
    LINN_LOCK_MCS,
    LINN_LOCK_CLH,
    LINN_LOCK_RWLOCK,
    LINN_LOCK_KINDS /* how many there are; as a kind: none of them */
};

struct linn_lock {
    union {
        pthread_mutex_t mutex;
        void *tail;       /* mcs, clh */
        uint32_t spin[2]; /* fas, ticket, rwlock */
    } of;
    void *node;    /* the holder's; guarded by the lock itself */
    uint32_t kind; /* never changes */
} LINN_ALIGNED_LINE;

/* The kind of the locks initialised from now on. */
void linn_lock_choose(enum linn_lock_kind kind);

/* "mutex", "fas", "ticket", "mcs", "clh", "rwlock"; LINN_LOCK_KINDS for any other
 * name. */
enum linn_lock_kind linn_lock_kind_by_name(const char *name);

const char *linn_lock_kind_name(enum linn_lock_kind kind);

void linn_lock_init(struct linn_lock *lock);
void linn_lock_acquire(struct linn_lock *lock);
void linn_lock_release(struct linn_lock *lock);

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_LOCK_H_ */
