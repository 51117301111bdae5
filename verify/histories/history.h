#ifndef LINN_VERIFY_HISTORIES_HISTORY_H_
#define LINN_VERIFY_HISTORIES_HISTORY_H_

/* history: decides whether what threads saw of an allocator can be explained by
 * an abstract one, in which each call takes effect at one moment between its
 * invocation and its response.
 *
 * Times are stamps drawn from one counter, so no two are equal, and a call that
 * was answered before another was invoked has the smaller stamps.
 *
 * 1. Who holds what.  The abstract allocator hands out a range of bytes only when
 *    no byte of it is handed out.  A life of a block is an allocation and a free;
 *    it lasts from a moment of the one call to a moment of the other, so it
 *    contains the time from the allocation's response to the free's invocation,
 *    and may be chosen as short as that.  If these shortest lives of ranges that
 *    share a byte never overlap, they are an explanation; if two do, every choice
 *    overlaps.  So `linn_holds_clash` decides exactly, in n log n and the size of
 *    what is held at a time.
 *
 * 2. What a container answers.  A call may consist of a few steps, each at a
 *    moment of its own and in order (a specification says which); the answers are
 *    known.  `linn_history_is_explained` follows the history event by event and
 *    keeps every set of pending steps that may have happened (Lowe's just-in-time
 *    form of Wing and Gong's search).  At most (steps + 1) ^ threads sets exist at
 *    a time, so whole histories are decided exactly, without cutting them into
 *    windows, in time linear in their length.
 *
 * The two are independent: 1 says which elements, 2 says how many.  What is
 * decided is what the specification says and no more; see the README. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A life of the range [first, end), cut down to the time in which it is certain.
 * Never freed: until = UINT64_MAX. */
struct linn_hold {
    uintptr_t first, end;
    uint64_t from;  /* stamp of the response that handed it out */
    uint64_t until; /* stamp of the invocation that gives it back */
};

/* Whether two holds that share a byte overlap in time; *a and *b get their
 * numbers.  *most (may be NULL) gets the largest number of holds at a time.
 * Aborts without memory, and over a hold that ends before it begins. */
bool linn_holds_clash(const struct linn_hold *holds, size_t n, size_t *a,
                      size_t *b, size_t *most);

#define LINN_HISTORY_THREADS 6
#define LINN_HISTORY_STEPS   4

/* One call of one thread.  The calls of a thread follow each other. */
struct linn_call {
    uint64_t invoked, answered; /* stamps */
    uint32_t thread;
    uint32_t kind; /* the specification's */
    uint32_t asked;
    uint32_t answer;
};

/* A value, compared byte by byte: no padding. */
struct linn_state {
    int32_t field[4];
};

struct linn_spec {
    struct linn_state start;
    int32_t size; /* the specification's own constant */
    /* How many steps the call has, 1 .. LINN_HISTORY_STEPS. */
    uint32_t (*steps)(const struct linn_call *call);
    /* Whether step k (from 0) is possible in *state with the answer that the call
     * got; if so, *state becomes the next one. */
    bool (*step)(const struct linn_spec *spec, const struct linn_call *call,
                 uint32_t k, struct linn_state *state);
};

/* What there was to decide. */
struct linn_verdict {
    size_t culprit; /* the call that nothing explains; number of calls: none */
    size_t sets;    /* examined, of pending steps that may have happened */
    size_t most;    /* at a time */
};

/* `calls` in any order. */
bool linn_history_is_explained(const struct linn_spec *spec,
                               const struct linn_call *calls, size_t n,
                               struct linn_verdict *verdict);

#endif /* LINN_VERIFY_HISTORIES_HISTORY_H_ */
