#ifndef LINN_VERIFY_PROBES_MAIL_H_
#define LINN_VERIFY_PROBES_MAIL_H_

/* mail: what the tracer and the traced process tell each other, in memory that
 * both map.  An order is a number that grows; who has carried it out says so by
 * the same number.  Nobody waits for a thread that the tracer has stopped.
 *
 *   tracer ----order----> controller, worker 0, worker 1   (not traced)
 *          <---done-----
 *          ----go-------> victim                           (traced)
 *
 * Words are written with release and read with acquire; the plain fields beside
 * them are read after the word that says they are there. */

#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sync/atomic.h"
#include "sync/cacheline.h"

#define LINN_PROBE_WORKERS 2

/* What an order asks for. */
enum linn_probe_order {
    LINN_PROBE_NOTHING,
    /* Workers. */
    LINN_PROBE_BURST, /* allocations of all sizes, frees of the other's blocks */
    LINN_PROBE_ALL,   /* a burst, then a new thread (0) or a fork (1) */
    LINN_PROBE_REST,  /* frees all it has, and empties its cache */
    /* The controller. */
    LINN_PROBE_VICTIM, /* starts a victim for operation `argument` */
    LINN_PROBE_JOIN,   /* waits for its end, after the tracer has let it go */
    LINN_PROBE_LEDGER, /* fills `ledger` */
    LINN_PROBE_ADOPT,  /* the same, after the dead were adopted */
};

struct linn_probe_mailbox {
    sync_u32 order LINN_ALIGNED_LINE;
    uint32_t kind;
    uint64_t argument;
    sync_u32 done LINN_ALIGNED_LINE;
    sync_u32 stage;   /* of an order: what it is at, enum linn_probe_stage */
    sync_u32 watched; /* the thread whose progress the order waits for */
    sync_u64 progress;
    uint32_t tid;
};

enum linn_probe_stage {
    LINN_PROBE_IN_BURST,
    LINN_PROBE_IN_THREAD,
    LINN_PROBE_IN_FORK,
    LINN_PROBE_STAGES,
};

struct linn_probe_ledger {
    uint64_t live_blocks;
    uint64_t cached_bytes;
    uint64_t held_bytes;
    uint64_t used_bytes; /* pages in use, by the chunks' guards */
    uint64_t adopted;    /* threads found dead */
    uint64_t grace_open; /* a section that is open delays the grace period */
    uint64_t grace_over; /* it ended after the adoption */
    uint64_t field[8];   /* counters that operations name */
};

struct linn_probe_mail {
    struct linn_probe_mailbox controller;
    struct linn_probe_mailbox worker[LINN_PROBE_WORKERS];

    sync_u32 victim; /* tid of the next victim, when it waits for `go` */
    sync_u32 go;
    sync_u32 finished; /* the operation is over */
    sync_u32 handled;  /* signals whose handler came to its end */
    sync_u64 asked;    /* bytes of the block being allocated; 0 when none */
    sync_u32 in_section;

    /* Addresses in the traced process. */
    uint64_t text_begin, text_end; /* of the program */
    uint64_t own_begin, own_end;   /* of it, what is not the library's */
    uint64_t exit_stub;            /* ends the thread by a bare system call */

    struct linn_probe_ledger ledger;

    sync_u32 failed;
    char failure[256];
};

static inline int linn_probe_sleep_on(sync_u32 *w, uint32_t seen, long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    return (int)syscall(SYS_futex, &w->value, FUTEX_WAIT, seen, &t, NULL, 0);
}

static inline void linn_probe_wake(sync_u32 *w) {
    (void)syscall(SYS_futex, &w->value, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}

static inline void linn_probe_order(struct linn_probe_mailbox *box,
                                    enum linn_probe_order kind,
                                    uint64_t argument) {
    box->kind = (uint32_t)kind;
    box->argument = argument;
    sync_u32_store_release(&box->order, sync_u32_load_relaxed(&box->order) + 1);
    linn_probe_wake(&box->order);
}

#endif /* LINN_VERIFY_PROBES_MAIL_H_ */
