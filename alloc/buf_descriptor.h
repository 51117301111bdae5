#ifndef LINN_ALLOC_BUF_DESCRIPTOR_H_
#define LINN_ALLOC_BUF_DESCRIPTOR_H_

/* buf_descriptor: what a buffer's handle names, in memory that never becomes
 * anything else.
 *
 *     handle   | generation : 32 | index : 32 |
 *                                    |
 *     slabs[index / 1024] --> | descriptor | descriptor | ...   128 KiB a slab
 *
 *     a thread's cache      loaded --> d --> d ...        at most 32
 *                           previous --> d --> d ...      exactly 32, or none
 *     for all threads       stack of batches of up to 32, linked by their heads;
 *                           then numbers never used
 *
 * Because a descriptor stays a descriptor for ever, a stale handle may always be
 * looked at: its generation differs (alloc/buf_count.h), and nothing else of the
 * descriptor is read.  Slabs come from the page source, are never unmapped, and
 * cost nothing but addresses until they are used.
 *
 *     (D1)  a descriptor is a living buffer's, or in one batch, or in one cache, or
 *           retired, or held by a thread inside a call below;
 *     (D2)  one whose generation has wrapped is retired: nobody gets it again.
 *
 * Cache.  The owner is inside between enter and leave; a signal handler that finds
 * it so uses what all threads share.  No step moves a descriptor in two places at
 * once, but for the move of a whole list from one half to the other, and there the
 * two halves are the same list: so an adopter of a dead thread's cache finds each
 * descriptor once, wherever the thread was killed.
 *
 * Progress: lock-free.  A thread that is killed inside loses what it holds: a
 * descriptor, or a batch of 32 (4 KiB).
 * Signals: every function, anywhere (not in the twin, whose shared stack is a
 * section).
 * Cost: from the cache no read-modify-write; a batch of 32 costs one.
 * Spec: tla/TaggedStack.tla for the stack.  Checked by: alloc/buf_descriptor_test.cc */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/buf_count.h"
#include "alloc/linn.h"
#include "sync/atomic.h"
#include "sync/cacheline.h"
#include "sync/tagged_stack.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LINN_DESCRIPTOR_BATCH = 32,
    LINN_DESCRIPTOR_SLAB_SHIFT = 10,
    LINN_DESCRIPTORS_PER_SLAB = 1 << LINN_DESCRIPTOR_SLAB_SHIFT,
    LINN_DESCRIPTORS_MAX = 1 << 26
};

enum linn_descriptor_kind {
    LINN_KIND_OWN = 0,   /* bytes of a block of its pool */
    LINN_KIND_VIEW,      /* bytes of another buffer */
    LINN_KIND_WRAPPED,   /* bytes of the user's */
    LINN_KIND_COMPOSITE, /* bytes of its components */
};

/* Of `flags`. */
enum {
    LINN_FLAG_READ_ONLY = 1,
    LINN_FLAG_DERIVED = 2 /* a view that shares its owner's count */
};

/* Two lines: an access needs the first alone.  While it is nobody's, what a buffer
 * of its own needs at its beginning is already there: kind LINN_KIND_OWN, no flags,
 * root itself, offset 0, nothing derived. */
struct linn_descriptor {
    struct linn_refs_word count;
    struct linn_descriptor
        *root; /* whose bytes these are; itself, if its own */
    /* The first byte, of a root; NULL if composite.  A batch's head in the stack
     * has the batch's second node here, and its size in `capacity`. */
    unsigned char *data;
    size_t offset;   /* of the first byte in the root's bytes */
    size_t capacity; /* SIZE_MAX: all that the root has */
    size_t reader, writer;
    uint32_t index; /* never changes */
    uint16_t kind;
    uint16_t flags;

    size_t max_capacity;
    size_t marked_reader, marked_writer;
    linn_pool *pool;
    /* In the stack, or in the list of what is derived from a buffer. */
    struct linn_stack_node node;
    /* ATOMIC derived, the views that share the count of this buffer
     *   BD.D1 look    load   relaxed  BD.D2 decides; or ours alone
     *   BD.D2 add     cas    relaxed  BF.R2 and BF.H1 bring it to the last holder
     *   BD.D3 reset   store  relaxed  ours alone */
    sync_ptr derived;
    union {
        struct {
            struct linn_descriptor *owner; /* whose count it holds or shares */
            uint64_t owner_name;
        } view;
        struct {
            void (*release)(void *memory, size_t bytes, void *context);
            void *context;
        } wrapped;
        struct {
            struct linn_components *array;
        } composite;
    } of;
} LINN_ALIGNED_LINE;

/* ATOMIC slabs[i], set once
 *   BD.N1 install  cas   release  pairs BD.H1  zeroed memory
 *   BD.H1 find     load  acquire  pairs BD.N1
 * ATOMIC born, one past the highest number handed out; in the twin of the section
 *   BD.H2 look     load  relaxed  hint; BD.C1 decides
 *   BD.C1 bump     cas   relaxed  the number is its whole meaning
 * ATOMIC retired, a figure
 *   BD.R1 count    fetch_add  relaxed
 *   BD.R2 read     load       relaxed */
extern sync_ptr
    linn_descriptor_slabs[LINN_DESCRIPTORS_MAX / LINN_DESCRIPTORS_PER_SLAB];

/* The descriptor of a number; NULL if there is none yet.  Any number. */
static inline struct linn_descriptor *linn_descriptor_at(uint32_t index) {
    if (index >= LINN_DESCRIPTORS_MAX) return NULL;
    /* BD.H1 acquire, pairs with BD.N1. */
    struct linn_descriptor *slab =
        (struct linn_descriptor *)sync_ptr_load_acquire(
            &linn_descriptor_slabs[index >> LINN_DESCRIPTOR_SLAB_SHIFT]);
    if (slab == NULL) return NULL;
    return &slab[index & (LINN_DESCRIPTORS_PER_SLAB - 1)];
}

/* ---- for all threads ---- */

/* A descriptor that the caller owns; NULL when there is no memory.  Without a
 * cache: the rest of a batch goes back at once. */
struct linn_descriptor *linn_descriptor_take(void);

/* Gives one back, whose life is over; retires it if its generation has wrapped. */
void linn_descriptor_give(struct linn_descriptor *d);

/* Descriptors retired so far, and numbers handed out. */
uint64_t linn_descriptor_retired(void);
uint32_t linn_descriptor_born(void);

/* ---- a thread's cache ---- */

/* ATOMIC busy, 1 while its thread is inside (and for ever in a cache that nobody
 * may use); its thread's and its handlers'
 *   BD.B1 look    load   relaxed  own
 *   BD.B2 enter   store  relaxed  the compiler's order is enough
 *   BD.B3 leave   store  release  pairs BD.B4
 *   BD.B4 adopt   load   acquire  pairs BD.B3  its thread is dead, and what it did
 *                                 is behind this word
 * ATOMIC loaded and previous, lists through node.next
 *   BD.L1 read    load   relaxed  own, or its thread is dead
 *   BD.L2 write   store  relaxed  one store moves one descriptor
 * node.next has its card in sync/tagged_stack.h. */
struct linn_descriptor_cache {
    sync_u64 busy;
    sync_ptr loaded;
    sync_ptr previous;
    uint32_t count; /* of loaded; a hint after a death */
};

/* For a cache that is not any thread's: it is always busy. */
#define LINN_DESCRIPTOR_NO_CACHE {{1}, {NULL}, {NULL}, 0}

/* False: a frame below is inside, or this is no cache. */
static inline bool linn_descriptor_enter(struct linn_descriptor_cache *c) {
    if (sync_u64_load_relaxed(&c->busy) != 0) return false; /* BD.B1 */
    sync_u64_store_relaxed(&c->busy, 1);                    /* BD.B2 */
    sync_compiler_barrier(); /* a handler sees it before anything moves */
    return true;
}

static inline void linn_descriptor_leave(struct linn_descriptor_cache *c) {
    /* BD.B3 release, pairs with BD.B4. */
    sync_u64_store_release(&c->busy, 0);
}

static inline struct linn_descriptor *linn_descriptor_of(void *node) {
    return (struct linn_descriptor *)(void *)((char *)node -
                                              offsetof(struct linn_descriptor,
                                                       node));
}

/* Fills the empty half and takes one; NULL when there is no memory. */
struct linn_descriptor *linn_descriptor_refill(struct linn_descriptor_cache *c)
    __attribute__((cold));
/* Empties a half, `loaded` being full. */
void linn_descriptor_spill(struct linn_descriptor_cache *c)
    __attribute__((cold));

/* Inside. */
static inline struct linn_descriptor *linn_descriptor_pop(
    struct linn_descriptor_cache *c) {
    struct linn_stack_node *node =
        (struct linn_stack_node *)sync_ptr_load_relaxed(&c->loaded); /* BD.L1 */
    if (__builtin_expect(node == NULL, 0)) return linn_descriptor_refill(c);
    void *rest = sync_ptr_load_relaxed(&node->next); /* TS.W1, ours */
    sync_ptr_store_relaxed(&c->loaded, rest);        /* BD.L2 */
    c->count--;
    return linn_descriptor_of(node);
}

/* Inside; `d` is not retired. */
static inline void linn_descriptor_push(struct linn_descriptor_cache *c,
                                        struct linn_descriptor *d) {
    if (__builtin_expect(c->count == LINN_DESCRIPTOR_BATCH, 0)) {
        linn_descriptor_spill(c);
    }
    void *rest = sync_ptr_load_relaxed(&c->loaded); /* BD.L1 */
    sync_ptr_store_relaxed(&d->node.next, rest);    /* TS.N2, ours */
    sync_compiler_barrier();                      /* the link, then the list */
    sync_ptr_store_relaxed(&c->loaded, &d->node); /* BD.L2 */
    c->count++;
}

/* Whether the generation has wrapped (D2). */
static inline bool linn_descriptor_is_spent(const struct linn_descriptor *d) {
    /* BF.G1 relaxed: ours. */
    return sync_u64_load_relaxed(&d->count.word) == 0;
}

/* Lets the cache be used: of a thread's record, which is new or was flushed. */
static inline void linn_descriptor_cache_begin(
    struct linn_descriptor_cache *c) {
    linn_descriptor_leave(c);
}

/* Gives all of a cache back: of the calling thread's, inside or not, or of a dead
 * thread's.  The cache is empty then. */
void linn_descriptor_cache_flush(struct linn_descriptor_cache *c);

/* ---- for tests ---- */

/* The generation of descriptors that are born from now on; 1 in earnest. */
void linn_descriptor_set_first_generation(uint32_t generation);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_BUF_DESCRIPTOR_H_ */
