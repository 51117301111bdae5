#ifndef LINN_VERIFY_EXPLORE_MACHINE_H_
#define LINN_VERIFY_EXPLORE_MACHINE_H_

/* machine: one execution of a few threads under C11's memory model, as a graph.
 *
 *     events    reads, writes and fences of atomic words, in the order in which
 *               they were added; a read-modify-write is a read and then a write
 *     source    of a read: the write that it takes its value from
 *     position  of a write: its place in the modification order of its word,
 *               which need not be the order in which writes were added
 *
 * The model is RC11 (Lahav et al., PLDI'17) with C++20's release sequences, and
 * without load buffering: no cycle of program order and reads-from.
 *   (M1)  coherence: a read or a write may not go before what happens before it;
 *         per word and, for a pair, per half, so that a torn load of a pair may see
 *         any two halves that coherence allows
 *   (M2)  atomicity: a read-modify-write comes right after its source
 *   (M3)  fences: two of them, one at least a heavy or a full one, are ordered if
 *         what is before one meets what is after the other (RC11's psc, for fences).
 *         A light barrier has no order against another light one.
 * Accesses that are sequentially consistent are refused (the library has none; the
 * 16-byte compare-and-swap counts as acq_rel, which is what its name says).
 *
 * Atomic words keep their first value in memory while threads run; what was written
 * stands in the graph.  machine_settle() writes the last values back. */

#include <stdbool.h>
#include <stdint.h>

enum {
    THREADS = 5, /* 0 is before and after, which see everything */
    EVENTS_MAX = 3000,
    PLACES_MAX = 4096,
    PLACE_EVENTS_MAX = 800,
    SOURCE_INITIAL = -1,
};

enum event_kind {
    EVENT_READ,
    EVENT_WRITE,
    EVENT_FENCE, /* full */
    EVENT_HEAVY, /* membarrier: a full fence, and a barrier in all threads */
    EVENT_LIGHT, /* where a heavy barrier of another thread may take place */
};

/* clock[t]: the first so many events of thread t are behind. */
struct clock {
    uint16_t of[THREADS];
};

struct event {
    uint8_t kind;
    uint8_t thread;
    uint8_t order;     /* __ATOMIC_... */
    uint8_t half;      /* of a pair: 1 low, 2 high, 3 both; else 1 */
    bool exclusive;    /* read and write of one read-modify-write */
    bool executed;     /* in this run; the others are planned */
    uint16_t index;    /* in its thread, from 1 */
    int16_t source;    /* of a read */
    uint16_t position; /* of a write, from 1; 0 is the initial value */
    uint16_t place;
    uint64_t value[2];
    struct clock before;  /* what happens before it */
    struct clock happens; /* and itself, and what it acquired */
    struct clock prefix;  /* program order and reads-from, with itself */
    struct clock message; /* of a write: what a reader acquires */
    uintptr_t site;
};

struct place {
    uintptr_t address;
    uint8_t bytes; /* 16: a pair */
    uint16_t events, writes;
    int16_t event[PLACE_EVENTS_MAX];
    int16_t write[PLACE_EVENTS_MAX]; /* by position; [0] is the initial value */
};

struct machine {
    int events;
    struct event event[EVENTS_MAX];
    int of_thread[THREADS][EVENTS_MAX]; /* ids; [0] is not used */
    int planned[THREADS];      /* how many events each has in the graph */
    int done[THREADS];         /* how many of them were executed */
    int16_t trace[EVENTS_MAX]; /* ids, in the order of execution */
    int traced;
    int fences; /* heavy, full and light */
    int heavy;  /* heavy and full */
    struct clock now[THREADS], pending[THREADS], fenced[THREADS],
        prefix[THREADS];
};

extern struct machine linn_machine;

/* ---- building ---- */

/* Begins with an empty graph. */
void machine_reset(void);

/* The place of a word; a word that turns out to be half of a pair makes the
 * exploration begin again (machine_pairs_changed). */
int machine_place(uintptr_t address, unsigned bytes, uint8_t *half);
struct place *machine_place_at(int place);
void machine_note_pair(uintptr_t address);
bool machine_pairs_are_new(void);
bool machine_pairs_changed(void);

/* A new event at the end of `thread`; executed by machine_execute. */
int machine_add(int thread, enum event_kind kind, int place, uint8_t half,
                uint8_t order, bool exclusive);

/* Puts a write in the modification order. */
void machine_insert(int id, unsigned position);

/* Takes the last event away again: it was only tried. */
void machine_remove_last(void);

/* Computes the clocks of the next event of its thread. */
void machine_execute(int id);

/* ---- asking ---- */

unsigned machine_position(const struct event *e);
void machine_value(int write, int place, uint64_t value[2]);

/* The first position that a read or write at `place` may have after everything in
 * `clock`: M1. */
unsigned machine_first_position(int place, uint8_t half,
                                const struct clock *clock);

/* Whether the write at `position` has a read-modify-write right after it: M2.
 * `id` gets that write. */
bool machine_is_taken(int place, unsigned position, int *id);

/* Whether nothing that was executed comes after it in the order of its word. */
bool machine_is_last(int id);

/* M3. */
bool machine_fences_agree(void);

static inline bool machine_knows(const struct clock *c, const struct event *e) {
    return e->index <= c->of[e->thread];
}

/* Writes the last value of every word to memory, through `poke`. */
void machine_settle(void (*poke)(uintptr_t address, const void *value,
                                 unsigned bytes));

#endif /* LINN_VERIFY_EXPLORE_MACHINE_H_ */
