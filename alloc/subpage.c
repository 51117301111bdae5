#define SYNC_LAYER LINN_COUNT_SUBPAGE
#include "alloc/subpage.h"

#include "alloc/check.h"
#include "sync/section.h"

/* Steps: pure functions from one guard word to the next; named as the actions of
 * the specification. */

static uint32_t step_reserve(uint64_t *word, uint32_t want) {
    struct linn_subpage_guard g = linn_subpage_guard_unpack(*word);
    if (g.state != LINN_SUBPAGE_LIVE) return 0;
    uint32_t take = g.free < want ? g.free : want;
    g.free -= take;
    *word = linn_subpage_guard_pack(g);
    return take;
}

/* True when the caller must list the subpage. */
static bool step_leave(uint64_t *word, uint32_t count) {
    struct linn_subpage_guard g = linn_subpage_guard_unpack(*word);
    bool mine = !g.listed;
    g.listed = true; /* B2 */
    g.free += count;
    *word = linn_subpage_guard_pack(g);
    return mine;
}

struct linn_subpage_guard linn_subpage_look(const struct linn_subpage *sp) {
    /* SP.H1 acquire, pairs with SP.N1 and SP.F2. */
    return linn_subpage_guard_unpack(sync_u64_load_acquire(&sp->guard));
}

bool linn_subpage_born(struct linn_subpage *sp, uint32_t size_class,
                       uint32_t total, uint32_t taken) {
    struct linn_subpage_guard g = linn_subpage_look(sp);
    LINN_ASSERT(g.state == LINN_SUBPAGE_DEAD);
    for (uint32_t w = 0; w < LINN_SUBPAGE_WORDS; w++) {
        uint32_t below = w * 64;
        uint64_t all = total >= below + 64 ? UINT64_MAX
                       : total > below     ? LINN_SUBPAGE_MASK(total - below)
                                           : 0;
        uint64_t gone = taken >= below + 64 ? UINT64_MAX
                        : taken > below     ? LINN_SUBPAGE_MASK(taken - below)
                                            : 0;
        sync_u64_store_relaxed(&sp->bits[w], all & ~gone); /* SP.N2 */
    }
    g.state = LINN_SUBPAGE_LIVE;
    g.size_class = size_class;
    g.free = total - taken;
    g.listed = g.free > 0;
    /* SP.N1 release, pairs with SP.A1 and SP.H1: an alloc of this life sees its
     * bits. */
    sync_u64_store_release(&sp->guard, linn_subpage_guard_pack(g));
    return g.listed;
}

uint32_t linn_subpage_reserve(struct linn_subpage *sp, uint64_t seen,
                              uint32_t want) {
    uint64_t life = seen >> LINN_SUBPAGE_CLASS_SHIFT; /* generation and class */
    uint64_t next;
    uint32_t take;
    do {
        next = seen;
        if (seen >> LINN_SUBPAGE_CLASS_SHIFT != life) return 0;
        take = step_reserve(&next, want);
        if (take == 0) return 0;
        /* SP.A1 acquire, pairs with SP.N1 and SP.F2: the bits that made room for
         * us are visible before we look for them. */
    } while (!sync_guarded_u64_cas_acquire_relaxed(&sp->guard, &seen, next));
    return take;
}

/* The lowest `count` set bits of a word, all of them when it has fewer. */
static uint64_t lowest_bits(uint64_t word, uint32_t count) {
    if ((uint32_t)__builtin_popcountll(word) <= count) return word;
    uint64_t rest = word;
    while (count-- > 0)
        rest &= rest - 1;
    return word & ~rest;
}

void linn_subpage_claim(struct linn_subpage *sp, uint32_t count,
                        struct linn_elements *taken) {
    for (uint32_t w = 0; w < LINN_SUBPAGE_WORDS; w++)
        taken->word[w] = 0;
    /* (B1) owes us `count` bits; a sweep that finds fewer met another thread that
     * took or gave some, and the next one goes on. */
    for (uint32_t w = 0; count > 0; w = (w + 1) % LINN_SUBPAGE_WORDS) {
        uint64_t seen = sync_u64_load_relaxed(&sp->bits[w]); /* SP.H2 */
        while (seen != 0) {
            uint64_t take = lowest_bits(seen, count);
            /* SP.A2 acquire, pairs with SP.F1: the last users' accesses to these
             * elements happen before ours. */
            if (sync_guarded_u64_cas_acquire_relaxed(&sp->bits[w], &seen,
                                                     seen & ~take)) {
                taken->word[w] |= take;
                count -= (uint32_t)__builtin_popcountll(take);
                break;
            }
        }
    }
}

uint32_t linn_subpage_set_bits(struct linn_subpage *sp,
                               struct linn_elements *given) {
    uint32_t doubles = 0;
    for (uint32_t w = 0; w < LINN_SUBPAGE_WORDS; w++) {
        uint64_t bits = given->word[w];
        if (bits == 0) continue;
        uint64_t seen = sync_u64_load_relaxed(&sp->bits[w]); /* SP.H2 */
        do {
            bits &= ~seen;
            if (bits == 0) break;
            /* SP.F1 release, pairs with SP.A2: our accesses to the elements
             * happen before the next user's. */
        } while (!sync_guarded_u64_cas_release_relaxed(&sp->bits[w], &seen,
                                                       seen | bits));
        doubles += (uint32_t)__builtin_popcountll(given->word[w] & ~bits);
        given->word[w] = bits;
    }
    return doubles;
}

bool linn_subpage_leave(struct linn_subpage *sp, uint32_t count) {
    /* SP.H1 acquire, pairs with SP.N1 and SP.F2. */
    uint64_t seen = sync_u64_load_acquire(&sp->guard);
    uint64_t next;
    bool list;
    do {
        next = seen;
        list = step_leave(&next, count);
        /* SP.F2 acq_rel.  Release pairs with SP.A1 and SP.R1: our bits come
         * first.  Acquire pairs with every earlier SP.F2: who pushes the subpage
         * passes on what they released. */
    } while (!sync_guarded_u64_cas_acq_rel_relaxed(&sp->guard, &seen, next));
    return list;
}

enum linn_popped linn_subpage_popped(struct linn_subpage *sp, uint32_t total) {
    /* SP.H1 acquire, pairs with SP.N1 and SP.F2. */
    uint64_t seen = sync_u64_load_acquire(&sp->guard);
    for (;;) {
        struct linn_subpage_guard g = linn_subpage_guard_unpack(seen);
        LINN_CHECK(g.state == LINN_SUBPAGE_LIVE && g.listed); /* B2 */
        if (g.free == 0) {
            g.listed = false;
            /* SP.L1 acquire, pairs with SP.F2: it fails when one was freed. */
            if (sync_guarded_u64_cas_acquire_relaxed(
                    &sp->guard, &seen, linn_subpage_guard_pack(g))) {
                return LINN_POPPED_DROPPED;
            }
        } else if (g.free == total) {
            g.state = LINN_SUBPAGE_DEAD;
            g.free = 0;
            g.listed = false;
            g.gen++; /* B3 */
            /* SP.R1 acquire, pairs with SP.F2: every user of every element is
             * done with it; the run is ours alone. */
            if (sync_guarded_u64_cas_acquire_relaxed(
                    &sp->guard, &seen, linn_subpage_guard_pack(g))) {
                return LINN_POPPED_RETIRED;
            }
        } else {
            return LINN_POPPED_KEEP;
        }
    }
}

bool linn_subpage_is_free_hint(const struct linn_subpage *sp, uint32_t index) {
    if (index >= LINN_SUBPAGE_WORDS * 64) return false;
    uint64_t word = sync_u64_load_relaxed(&sp->bits[index / 64]); /* SP.H2 */
    return (word >> (index % 64) & 1) != 0;
}

bool linn_subpage_is_valid_quiescent(const struct linn_subpage *sp,
                                     uint32_t total) {
    struct linn_subpage_guard g = linn_subpage_look(sp);
    if (g.state == LINN_SUBPAGE_DEAD) return g.free == 0 && !g.listed;
    uint32_t set = 0;
    for (uint32_t w = 0; w < LINN_SUBPAGE_WORDS; w++) {
        uint64_t word = sync_u64_load_relaxed(&sp->bits[w]); /* SP.H2 */
        set += (uint32_t)__builtin_popcountll(word);
    }
    return set == g.free && g.free <= total && (g.free == 0 || g.listed);
}
