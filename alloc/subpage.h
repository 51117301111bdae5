#ifndef LINN_ALLOC_SUBPAGE_H_
#define LINN_ALLOC_SUBPAGE_H_

/* subpage: a run of pages cut into equal elements of one size class.
 *
 *     guard  | gen : 43 | class : 8 | free : 10 | listed : 1 | state : 2 |
 *     bits   8 words, bit i of word w: element 64 w + i is free
 *
 *              born                    popped with all elements free
 *        DEAD ------> LIVE  <------->  ...  ------------------> DEAD, gen + 1
 *
 * The protocol of every container here: an allocation reserves elements in the
 * guard, then clears as many bits; a free sets the bits, then counts them in the
 * guard, and that CAS is its last touch.  One CAS claims up to 64 elements of a
 * word, one gives up to 64 back.
 *
 *     (B1)  bits set >= free + elements reserved and not yet claimed
 *     (B2)  listed = 1 while the subpage is in one of its arena's two partial
 *           stacks of its class, or in the hands of the one thread that popped or
 *           is about to push it
 *     (B3)  gen never goes back
 *
 * Listed and free change in one CAS: whoever counts the first free element of a
 * subpage that is in no stack pushes it.  (Two steps let a popper retire the
 * subpage under the freer's feet: TLC, 7 states.)  Only a thread that popped a
 * subpage may retire it; who merely looked at the top of the stack may not.
 *
 * Progress: lock-free.  Cost: two locked instructions for a batch each way, one
 * more for each further word.
 * Source: Netty's PoolSubpage; the guard is LRMalloc's anchor with a bitmap in
 * place of the linked list, so that a free touches no payload.
 * Spec: tla/Subpage.tla.  Scenario: verify/subpage_retirement.c */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/atomic.h"
#include "sync/cacheline.h"
#include "sync/tagged_stack.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_SUBPAGE_WORDS 8

struct linn_chunk;

enum linn_subpage_state { LINN_SUBPAGE_DEAD = 0, LINN_SUBPAGE_LIVE = 1 };

/* The guard word, field by field; a value. */
struct linn_subpage_guard {
    uint64_t gen;
    uint32_t size_class;
    uint32_t free;
    bool listed;
    uint32_t state;
};

/* The fields of the guard word, from the lowest bit. */
#define LINN_SUBPAGE_STATE_BITS   2
#define LINN_SUBPAGE_LISTED_BITS  1
#define LINN_SUBPAGE_FREE_BITS    10
#define LINN_SUBPAGE_CLASS_BITS   8
#define LINN_SUBPAGE_GEN_BITS     43
#define LINN_SUBPAGE_LISTED_SHIFT LINN_SUBPAGE_STATE_BITS
#define LINN_SUBPAGE_FREE_SHIFT \
    (LINN_SUBPAGE_LISTED_SHIFT + LINN_SUBPAGE_LISTED_BITS)
#define LINN_SUBPAGE_CLASS_SHIFT \
    (LINN_SUBPAGE_FREE_SHIFT + LINN_SUBPAGE_FREE_BITS)
#define LINN_SUBPAGE_GEN_SHIFT \
    (LINN_SUBPAGE_CLASS_SHIFT + LINN_SUBPAGE_CLASS_BITS)
#define LINN_SUBPAGE_MASK(bits) ((UINT64_C(1) << (bits)) - 1)

static inline struct linn_subpage_guard linn_subpage_guard_unpack(
    uint64_t word) {
    struct linn_subpage_guard g;
    g.state = (uint32_t)(word & LINN_SUBPAGE_MASK(LINN_SUBPAGE_STATE_BITS));
    g.listed = (word >> LINN_SUBPAGE_LISTED_SHIFT & 1) != 0;
    g.free = (uint32_t)(word >> LINN_SUBPAGE_FREE_SHIFT &
                        LINN_SUBPAGE_MASK(LINN_SUBPAGE_FREE_BITS));
    g.size_class = (uint32_t)(word >> LINN_SUBPAGE_CLASS_SHIFT &
                              LINN_SUBPAGE_MASK(LINN_SUBPAGE_CLASS_BITS));
    g.gen = word >> LINN_SUBPAGE_GEN_SHIFT &
            LINN_SUBPAGE_MASK(LINN_SUBPAGE_GEN_BITS);
    return g;
}

static inline uint64_t linn_subpage_guard_pack(struct linn_subpage_guard g) {
    return (g.state & LINN_SUBPAGE_MASK(LINN_SUBPAGE_STATE_BITS)) |
           (uint64_t)(g.listed ? 1 : 0) << LINN_SUBPAGE_LISTED_SHIFT |
           (g.free & LINN_SUBPAGE_MASK(LINN_SUBPAGE_FREE_BITS))
               << LINN_SUBPAGE_FREE_SHIFT |
           (g.size_class & LINN_SUBPAGE_MASK(LINN_SUBPAGE_CLASS_BITS))
               << LINN_SUBPAGE_CLASS_SHIFT |
           (g.gen & LINN_SUBPAGE_MASK(LINN_SUBPAGE_GEN_BITS))
               << LINN_SUBPAGE_GEN_SHIFT;
}

struct linn_subpage {
    /* ATOMIC guard
     *   SP.H1 look     load   acquire  pairs SP.N1 SP.F2  CAS decides
     *   SP.A1 reserve  cas    acquire  pairs SP.N1 SP.F2  the bit that made room
     *                                  is visible before we look for it
     *   SP.F2 leave    cas    acq_rel  pairs SP.A1 SP.H1 SP.R1 SP.L1 SP.F2  bits first
     *   SP.L1 unlist   cas    acquire  pairs SP.F2  nothing left when popped
     *   SP.R1 retire   cas    acquire  pairs SP.F2  all users are done
     *   SP.N1 born     store  release  pairs SP.A1 SP.H1  bits and fields */
    sync_u64 guard LINN_ALIGNED_LINE;

    struct linn_stack_node node;

    /* Of the run; written by its owner before SP.N1. */
    struct linn_chunk *chunk;

    /* ATOMIC pages, of the run of pages or groups that begins here and is not
     * cut into elements; written by its owner
     *   SP.P1 note   store  relaxed  the pointer's hand-over publishes it
     *   SP.P2 read   load   relaxed  the reader holds the block */
    sync_u32 pages;

    /* ATOMIC bits[w], bit i guards the bytes of element 64 w + i
     *   SP.N2 init   store  relaxed  published by SP.N1
     *   SP.H2 sweep  load   relaxed  hint; SP.A2 decides
     *   SP.A2 claim  cas    acquire  pairs SP.F1  the last user is done
     *   SP.F1 free   cas    release  pairs SP.A2 */
    sync_u64 bits[LINN_SUBPAGE_WORDS] LINN_ALIGNED_LINE;
};

/* A set of elements of one subpage: what a batch claims or gives back. */
struct linn_elements {
    uint64_t word[LINN_SUBPAGE_WORDS];
};

static inline struct linn_subpage *linn_subpage_of_node(
    struct linn_stack_node *node) {
    return (struct linn_subpage *)(void *)((char *)node -
                                           offsetof(struct linn_subpage, node));
}

/* What the guard says now. */
struct linn_subpage_guard linn_subpage_look(const struct linn_subpage *sp);

/* Begins a life with `total` elements of which the first `taken` are the
 * caller's already.  The caller owns the run and the descriptor (DEAD).  True
 * when elements are left: the subpage is born listed, and the caller pushes it. */
bool linn_subpage_born(struct linn_subpage *sp, uint32_t size_class,
                       uint32_t total, uint32_t taken);

/* Reserves up to `want` elements for a thread that saw guard word `seen` while
 * the subpage was in the right stack.  The number reserved; 0: nothing free, or
 * another life. */
uint32_t linn_subpage_reserve(struct linn_subpage *sp, uint64_t seen,
                              uint32_t want);

/* Claims the bits of `count` reserved elements, lowest first. */
void linn_subpage_claim(struct linn_subpage *sp, uint32_t count,
                        struct linn_elements *taken);

/* Sets the bits of `given`, and clears in it those that were set already: each of
 * them is a double free that changed nothing.  The number of those. */
uint32_t linn_subpage_set_bits(struct linn_subpage *sp,
                               struct linn_elements *given);

/* Counts `count` elements whose bits are set.  True: the subpage was in no stack,
 * and the caller must push it. */
bool linn_subpage_leave(struct linn_subpage *sp, uint32_t count);

/* What a thread that has just popped the subpage does with it. */
enum linn_popped {
    LINN_POPPED_KEEP,    /* it has free elements: push it again */
    LINN_POPPED_DROPPED, /* it has none: whoever frees one lists it again */
    LINN_POPPED_RETIRED, /* all were free: DEAD, and the run is the caller's */
};
enum linn_popped linn_subpage_popped(struct linn_subpage *sp, uint32_t total);

/* Whether element `index` is free; for misuse messages only. */
bool linn_subpage_is_free_hint(const struct linn_subpage *sp, uint32_t index);

/* The invariants, for `total` elements.  Only while nobody works in it. */
bool linn_subpage_is_valid_quiescent(const struct linn_subpage *sp,
                                     uint32_t total);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_SUBPAGE_H_ */
