#ifndef LINN_ALLOC_BUF_COUNT_H_
#define LINN_ALLOC_BUF_COUNT_H_

/* buf_count: the one word that says whether a buffer lives, in which life, and how
 * many references there are.
 *
 *     word   | generation : 32 | published : 1 | count : 31 |
 *     name   | generation : 32 |       index : 32           |   of a handle
 *
 *     (B1)  count > 0 exactly while the buffer of this generation lives;
 *     (B2)  the step that takes the count to 0 ends the generation, so no name
 *           that was ever given fits a later life;
 *     (B3)  a generation that would wrap becomes 0, which no name has: such a
 *           word never lives again (alloc/buf_descriptor.h retires it);
 *     (B4)  the count stops at LINN_REFS_MAX: a retain beyond it is refused.
 *
 * Published.  A buffer that may be found without holding a reference (in a shared
 * table, say) is published first, by its sole owner.  Its last release is then a
 * compare-and-swap, and so is the finder's try-retain: one of the two wins.  The
 * last release of any other buffer is a plain store after a load that saw nothing
 * but our own references: nobody but their holder can change the word.  (Without
 * the bit, a releaser that loaded 1 and a finder that moves 1 to 2 make a use
 * after free.)
 *
 * Both variants have the same word: Netty's counts are atomic too.
 *
 * Progress: lock-free; the plain last release is wait-free.  Any thread, any
 * signal handler.
 * Cost: retain 1 read-modify-write, release 1; the last release of a buffer that is
 * not published 0.
 * Spec: tla/BufferRefcount.tla.  Scenario: verify/last_release_try_retain.c */

#include <stdbool.h>
#include <stdint.h>

#include "alloc/check.h"
#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_REFS_GENERATION_SHIFT 32
#define LINN_REFS_PUBLISHED        (UINT64_C(1) << 31)
#define LINN_REFS_MAX              ((UINT32_C(1) << 31) - 1)

/* ATOMIC word {generation, published, count}
 *   BF.B1 born    store  relaxed  the descriptor is nobody's yet
 *   BF.N1 alloc   store  relaxed  others learn of the buffer from its owner, or
 *                                 by BF.P1
 *   BF.G1 alive   load   relaxed  by a holder, who needs no order; a name whose
 *                                 life is over differs for ever (B2)
 *   BF.P1 publish store  release  pairs BF.T2  what the owner wrote is there
 *   BF.H1 look    load   acquire  pairs BF.R2  the other holders are done with
 *                                 the bytes
 *   BF.R1 retain  cas    relaxed  our own reference keeps the life going
 *   BF.R2 release cas    acq_rel  pairs BF.H1 BF.S1  our use of the bytes is done;
 *                                 the last one sees that of the others
 *   BF.L1 last    store  relaxed  who gets the descriptor next gets it from us
 *   BF.T1 look    load   relaxed  BF.T2 compares all of it
 *   BF.T2 try     cas    acquire  pairs BF.P1  the bytes, and the buffer's fields
 *   BF.S1 sole    load   acquire  pairs BF.R2  who was here before is done */
struct linn_refs_word {
    sync_u64 word;
};

/* What a step on the word came to. */
enum linn_counted {
    LINN_COUNTED = 0,  /* done; others hold references */
    LINN_COUNTED_LAST, /* done; the caller owns the buffer's remains alone */
    LINN_COUNTED_DEAD, /* the name is of no living buffer */
    LINN_COUNTED_TOO_MANY,    /* the count would pass LINN_REFS_MAX (B4) */
    LINN_COUNTED_TOO_FEW,     /* more references released than there are */
    LINN_COUNTED_UNPUBLISHED, /* only a published buffer may be found */
    LINN_COUNTED_SHARED       /* not the sole owner */
};

/* ---- pure steps ---- */

static inline uint32_t linn_refs_generation(uint64_t word) {
    return (uint32_t)(word >> LINN_REFS_GENERATION_SHIFT);
}

static inline uint32_t linn_refs_references(uint64_t word) {
    return (uint32_t)word & LINN_REFS_MAX;
}

static inline bool linn_refs_is_published(uint64_t word) {
    return (word & LINN_REFS_PUBLISHED) != 0;
}

/* Whether `name` is of the life that the word is in (B1): its lower half is 1 or
 * more, and its upper half the name's. */
static inline bool linn_refs_fits(uint64_t word, uint64_t name) {
    uint64_t generation = name & ~(uint64_t)UINT32_MAX;
    return word - generation - 1 < UINT32_MAX;
}

/* The word of the next life before it begins (B2, B3). */
static inline uint64_t linn_refs_ended(uint64_t word) {
    return ((word >> LINN_REFS_GENERATION_SHIFT) + 1)
           << LINN_REFS_GENERATION_SHIFT;
}

static inline enum linn_counted linn_refs_step_retain(uint64_t *word,
                                                      uint64_t name,
                                                      uint32_t n) {
    if (!linn_refs_fits(*word, name)) return LINN_COUNTED_DEAD;
    if (n > LINN_REFS_MAX - linn_refs_references(*word)) {
        return LINN_COUNTED_TOO_MANY; /* B4 */
    }
    *word += n;
    return LINN_COUNTED;
}

static inline enum linn_counted linn_refs_step_release(uint64_t *word,
                                                       uint64_t name,
                                                       uint32_t n) {
    if (!linn_refs_fits(*word, name)) return LINN_COUNTED_DEAD;
    uint32_t held = linn_refs_references(*word);
    if (n > held) return LINN_COUNTED_TOO_FEW;
    if (n < held) {
        *word -= n;
        return LINN_COUNTED;
    }
    *word = linn_refs_ended(*word); /* B2 */
    return LINN_COUNTED_LAST;
}

/* ---- steps on the shared word ---- */

/* The descriptor is new, and the caller's. */
static inline void linn_refs_born(struct linn_refs_word *c,
                                  uint32_t generation) {
    /* BF.B1 relaxed: nobody has seen it. */
    sync_u64_store_relaxed(&c->word,
                           (uint64_t)generation << LINN_REFS_GENERATION_SHIFT);
}

/* Begins the life that the word says is next; the caller owns the descriptor.
 * Returns the upper half of the life's names. */
static inline uint64_t linn_refs_begin(struct linn_refs_word *c) {
    /* BF.G1 relaxed: ours. */
    uint64_t word = sync_u64_load_relaxed(&c->word);
    LINN_ASSERT(word != 0 && (uint32_t)word == 0); /* B1, B3 */
    sync_u64_store_relaxed(&c->word, word + 1);    /* BF.N1 */
    return word;
}

/* Whether the buffer named lives.  Exact for a holder of a reference, and for a
 * name whose life is over. */
static inline bool linn_refs_is_live(const struct linn_refs_word *c,
                                     uint64_t name) {
    /* BF.G1 relaxed: the caller holds a reference, or the answer is no. */
    return linn_refs_fits(sync_u64_load_relaxed(&c->word), name);
}

/* References to the buffer named; 0 when it is dead. */
static inline uint32_t linn_refs_read(const struct linn_refs_word *c,
                                      uint64_t name) {
    uint64_t word = sync_u64_load_relaxed(&c->word); /* BF.G1 */
    return linn_refs_fits(word, name) ? linn_refs_references(word) : 0;
}

/* n more references, by the holder of one. */
static inline enum linn_counted linn_refs_retain(struct linn_refs_word *c,
                                                 uint64_t name, uint32_t n) {
    uint64_t seen = sync_u64_load_relaxed(&c->word); /* BF.G1 */
    uint64_t next;
    do {
        next = seen;
        enum linn_counted r = linn_refs_step_retain(&next, name, n);
        if (r != LINN_COUNTED) return r;
        /* BF.R1 relaxed: what the new holder needs comes with the name. */
    } while (!sync_u64_cas_relaxed_relaxed(&c->word, &seen, next));
    return LINN_COUNTED;
}

/* n references less, all of them the caller's.  LINN_COUNTED_LAST: the life is
 * over, and what is left of the buffer is the caller's alone. */
static inline enum linn_counted linn_refs_release(struct linn_refs_word *c,
                                                  uint64_t name, uint32_t n) {
    /* BF.H1 acquire, pairs with BF.R2: if only our references are left, the
     * others have done what they did with the bytes. */
    uint64_t seen = sync_u64_load_acquire(&c->word);
    uint64_t next;
    enum linn_counted r;
    do {
        next = seen;
        r = linn_refs_step_release(&next, name, n);
        if (r != LINN_COUNTED && r != LINN_COUNTED_LAST) return r;
        if (r == LINN_COUNTED_LAST && !linn_refs_is_published(seen)) {
            /* BF.L1 relaxed: nobody else can change the word. */
            sync_u64_store_relaxed(&c->word, next);
            return r;
        }
        /* BF.R2 acq_rel, pairs with BF.H1, BF.S1 and itself.  (Where it fails it
         * acquires, for the store above.) */
    } while (!sync_u64_cas_acq_rel_acquire(&c->word, &seen, next));
    return r;
}

/* The same for one reference in two halves, if it is the only one of a buffer that is
 * not published.  One comparison says that the name fits and that it is so. */
static inline bool linn_refs_is_last(const struct linn_refs_word *c,
                                     uint64_t name) {
    uint64_t last = (name & ~(uint64_t)UINT32_MAX) | 1;
    /* BF.H1 acquire, pairs with BF.R2. */
    return sync_u64_load_acquire(&c->word) == last;
}

/* Ends the life.  False: the generation has wrapped (B3). */
static inline bool linn_refs_end(struct linn_refs_word *c, uint64_t name) {
    uint64_t next = linn_refs_ended(name);
    sync_u64_store_relaxed(&c->word, next); /* BF.L1 */
    return next != 0;
}

/* From now on others may find the buffer; by its sole owner, once or again. */
static inline enum linn_counted linn_refs_publish(struct linn_refs_word *c,
                                                  uint64_t name) {
    uint64_t word = sync_u64_load_relaxed(&c->word); /* BF.G1 */
    if (!linn_refs_fits(word, name)) return LINN_COUNTED_DEAD;
    if (linn_refs_is_published(word)) return LINN_COUNTED;
    if (linn_refs_references(word) != 1) return LINN_COUNTED_SHARED;
    /* BF.P1 release, pairs with BF.T2: the finder sees a whole buffer.  A store,
     * because the word is ours alone until the bit is set. */
    sync_u64_store_release(&c->word, word | LINN_REFS_PUBLISHED);
    return LINN_COUNTED;
}

/* One reference more, by a caller who holds none: the name was found. */
static inline enum linn_counted linn_refs_try_retain(struct linn_refs_word *c,
                                                     uint64_t name) {
    uint64_t seen = sync_u64_load_relaxed(&c->word); /* BF.T1 */
    uint64_t next;
    do {
        next = seen;
        enum linn_counted r = linn_refs_step_retain(&next, name, 1);
        if (r != LINN_COUNTED) return r;
        if (!linn_refs_is_published(seen)) return LINN_COUNTED_UNPUBLISHED;
        /* BF.T2 acquire, pairs with BF.P1: every step in between is a
         * read-modify-write, so the release reaches us. */
    } while (!sync_u64_cas_acquire_relaxed(&c->word, &seen, next));
    return LINN_COUNTED;
}

/* Whether the caller, who holds a reference, is the only one.  A published buffer
 * may be found at any moment, so its answer is no. */
static inline bool linn_refs_is_sole(const struct linn_refs_word *c,
                                     uint64_t name) {
    /* BF.S1 acquire, pairs with BF.R2: those who released are done. */
    uint64_t word = sync_u64_load_acquire(&c->word);
    return linn_refs_fits(word, name) && !linn_refs_is_published(word) &&
           linn_refs_references(word) == 1;
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_BUF_COUNT_H_ */
