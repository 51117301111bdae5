#ifndef LINN_SYNC_TAGGED_STACK_H_
#define LINN_SYNC_TAGGED_STACK_H_

/* tagged_stack: a last-in, first-out stack of nodes that never lose their type.
 *
 *     head   | first node : 64 | tag : 64 |      one compare-and-swap moves both
 *                 |
 *                 v
 *              node -> node -> NULL              links embedded in the objects
 *
 * Treiber's stack.  A popper reads the first node's link before it owns the
 * node, so
 *     (T1)  the memory of a node stays a node for ever (type-stable), and
 *     (T2)  every push and every removal advances the tag,
 * so a head that was popped and pushed again meanwhile (ABA) differs from the
 * one seen.  Tags of 6 and 32 bits wrap in practice; 64 bits do not, and the
 * tests start three below the wrap all the same.  The two loads of a head may
 * be torn; a torn pair names a tag together with a node that never carried it
 * (T2), and the compare-and-swap refuses it.
 *
 * Guarded: the caller is inside the stack's section (sync/section.h), so in the
 * locked twin the same code is plain moves.
 *
 * Progress: lock-free.  Cost: one 16-byte compare-and-swap each.
 * Signals: any handler (not in the twin).
 * Spec: tla/TaggedStack.tla, and as a part tla/Subpage.tla; "notag" fails in both.
 * Checked by: sync/tagged_stack_test.cc (a stack without tag is caught). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/atomic.h"
#include "sync/cacheline.h"
#include "sync/section.h"

#ifdef __cplusplus
extern "C" {
#endif

struct linn_stack_node {
    /* ATOMIC next, written by the thread that owns the node and pushes it
     *   TS.N2 push   store  relaxed  published by TS.P1
     *   TS.H2 pop    load   relaxed  hint; TS.O1 decides whether it was the
     *                                link of the first node
     *   TS.W1 walk   load   relaxed  the walker owns the popped list */
    sync_ptr next;
};

struct linn_tagged_stack {
    /* ATOMIC head, {first node, tag}, written by any thread in the section
     *   TS.N1 init   store  relaxed  before the stack is shared
     *   TS.H1 look   load   relaxed  hint, may be torn; the cas decides
     *   TS.H4 first  load   acquire  pairs TS.P1  the link that is read next is
     *                                not older than this head
     *   TS.P1 push   cas    acq_rel  pairs TS.H4 TS.O1 TS.O2 TS.T1 TS.T2
     *                                the contents are there before a pop
     *   TS.O1 pop    cas    acq_rel  pairs TS.P1  the pusher is done with it
     *   TS.O2 all    cas    acq_rel  pairs TS.P1  the same for the whole list
     *   TS.H3 empty  load   relaxed  hint that decides nothing
     *   TS.T1 look   load   acquire  pairs TS.P1  the top's contents
     *   TS.T2 still  load   acquire  pairs TS.P1  the tag is loaded after the node:
     *                                loaded before it, the two could come from
     *                                different heads and still look the same */
    sync_pair head;
} LINN_ALIGNED_LINE;

/* Before the stack is shared.  `first_tag` is 0 but in tests of the wrap, and in
 * a stack that is born again in the same place (it continues). */
static inline void linn_tagged_stack_init(struct linn_tagged_stack *s,
                                          uint64_t first_tag) {
    sync_pair_value v = {0, first_tag};
    sync_pair_store_relaxed(&s->head, v); /* TS.N1 */
}

static inline struct linn_stack_node *linn_stack_node_of(uint64_t low) {
    return (struct linn_stack_node *)(uintptr_t)low;
}

/* The caller owns `node`, and gives it away. */
static inline void linn_tagged_stack_push(struct linn_tagged_stack *s,
                                          struct linn_stack_node *node) {
    sync_pair_value seen = sync_pair_load_relaxed(&s->head); /* TS.H1 */
    sync_pair_value next;
    do {
        next.low = (uint64_t)(uintptr_t)node;
        next.high = seen.high + 1; /* T2 */
        /* TS.N2 relaxed: published by TS.P1. */
        sync_ptr_store_relaxed(&node->next, linn_stack_node_of(seen.low));
        /* TS.P1 acq_rel, pairs with TS.O1 and TS.O2: whoever pops the node sees
         * the link above and all that we wrote into the object. */
    } while (!sync_guarded_pair_cas_acq_rel_acquire(&s->head, &seen, next));
}

/* The node pushed last, which the caller now owns; NULL when there is none. */
static inline struct linn_stack_node *linn_tagged_stack_pop(
    struct linn_tagged_stack *s) {
    /* TS.H4 acquire, pairs with TS.P1: else TS.H2 may read a link of an earlier
     * stay of the node in the stack, and TS.O1, which compares the head alone,
     * would put it there.  (A failed TS.O1 acquires for the next round.) */
    sync_pair_value seen = sync_pair_load_acquire(&s->head);
    sync_pair_value next;
    struct linn_stack_node *first;
    do {
        first = linn_stack_node_of(seen.low);
        if (first == NULL) return NULL;
        /* TS.H2 relaxed, after an acquire load of the head: another may own the
         * node by now and change the link; then the tag has moved and TS.O1
         * fails. */
        void *second = sync_ptr_load_relaxed(&first->next);
        next.low = (uint64_t)(uintptr_t)second;
        next.high = seen.high + 1; /* T2 */
        /* TS.O1 acq_rel, pairs with TS.P1: what the pusher wrote is visible. */
    } while (!sync_guarded_pair_cas_acq_rel_acquire(&s->head, &seen, next));
    return first;
}

/* All nodes, last pushed first, to be walked with linn_stack_node_next; the
 * caller owns them.  NULL when there are none.  Not called yet: a trim takes whole
 * stacks of spares by it (lifetimes), and the specification has it. */
static inline struct linn_stack_node *linn_tagged_stack_pop_all(
    struct linn_tagged_stack *s) {
    sync_pair_value seen = sync_pair_load_relaxed(&s->head); /* TS.H1 */
    sync_pair_value next = {0, 0};
    do {
        if (seen.low == 0) return NULL;
        next.high = seen.high + 1; /* T2 */
        /* TS.O2 acq_rel, pairs with TS.P1: for every node of the list, because
         * each push is a read-modify-write and continues the release of the
         * pushes before it. */
    } while (!sync_guarded_pair_cas_acq_rel_acquire(&s->head, &seen, next));
    return linn_stack_node_of(seen.low);
}

/* The node below `node` in a list that pop_all gave to the caller. */
static inline struct linn_stack_node *linn_stack_node_next(
    const struct linn_stack_node *node) {
    /* TS.W1 relaxed: the caller owns the list. */
    return (struct linn_stack_node *)sync_ptr_load_relaxed(&node->next);
}

/* What was on top at some moment, with the tag of that moment. */
struct linn_top {
    struct linn_stack_node *node;
    sync_pair_value head;
};

/* Looks at the top without taking it.  False when the stack is empty. */
static inline bool linn_tagged_stack_look(const struct linn_tagged_stack *s,
                                          struct linn_top *top) {
    /* TS.T1 acquire, pairs with TS.P1. */
    top->head = sync_pair_load_acquire(&s->head);
    top->node = linn_stack_node_of(top->head.low);
    return top->node != NULL;
}

/* Whether the top has stayed the same since `top` was looked at: since no tag
 * comes twice, the node was on top at every moment in between, and what the
 * caller has loaded from it meanwhile (acquire) belongs to that time.  (A torn
 * first look fails here: its two halves never were a head.) */
static inline bool linn_tagged_stack_is_still(const struct linn_tagged_stack *s,
                                              const struct linn_top *top) {
    /* TS.T2 acquire, pairs with TS.P1: the node, then the tag. */
    sync_pair_value now = sync_pair_load_acquire(&s->head);
    return now.low == top->head.low && now.high == top->head.high;
}

/* May be outdated before it returns. */
static inline bool linn_tagged_stack_is_empty_hint(
    const struct linn_tagged_stack *s) {
    return sync_u64_load_relaxed(&s->head.low) == 0; /* TS.H3 */
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_TAGGED_STACK_H_ */
