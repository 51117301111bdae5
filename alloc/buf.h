#ifndef LINN_ALLOC_BUF_H_
#define LINN_ALLOC_BUF_H_

/* buf: what the files of the buffers share.
 *
 *     d->root->data + d->offset + index      the address of a byte
 *
 * A view asks its root for the address at each access, so it follows the root when
 * that moves; and for the room that is left of it, so it does not follow it out of
 * its memory when that shrinks.  A root whose bytes are scattered (a composite) has
 * no data, and hands out pieces.
 *
 *     (U1)  reader <= writer <= capacity, of every buffer but a view whose root has
 *           shrunk since
 *     (U2)  root->kind is not LINN_KIND_VIEW; the root of a living view lives
 *     (U3)  of a LINN_KIND_OWN buffer, capacity <= the usable size of its block
 *     (U4)  capacity <= max_capacity <= LINN_BUF_MAX
 *
 * Errors are found before anything is changed, and recorded in a cold function. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "alloc/buf_count.h"
#include "alloc/buf_descriptor.h"
#include "alloc/linn_buf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_LIKELY(x)   __builtin_expect(!!(x), 1)
#define LINN_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The components of a composite, a block of its pool. */
struct linn_component {
    struct linn_descriptor *d;
    uint64_t name;     /* the handle, one reference of which is ours */
    size_t begin, end; /* in the composite */
    size_t from;       /* where its bytes begin in d */
};
struct linn_components {
    uint32_t count, room, max;
    uint32_t last; /* the one that was used last: a hint */
    struct linn_component of[];
};

/* ---- errors ---- */

/* Records it, and returns it. */
linn_buf_status linn_buf_fail(linn_buf b, linn_buf_status status, size_t index,
                              size_t length) __attribute__((cold, noinline));

/* ---- finding ---- */

/* The descriptor of a living buffer, or NULL. */
static inline struct linn_descriptor *linn_buf_look(linn_buf b) {
    struct linn_descriptor *d = linn_descriptor_at((uint32_t)b.id);
    if (LINN_UNLIKELY(d == NULL)) return NULL;
    return LINN_LIKELY(linn_refs_is_live(&d->count, b.id)) ? d : NULL;
}

static inline linn_buf linn_buf_of(uint64_t name) {
    linn_buf b = {name};
    return b;
}

/* The handle of a living descriptor. */
static inline linn_buf linn_buf_handle(const struct linn_descriptor *d) {
    uint64_t word = sync_u64_load_relaxed(&d->count.word); /* BF.G1 */
    return linn_buf_of((word & ~(uint64_t)UINT32_MAX) | d->index);
}

/* Bytes that there are from the buffer's first one: its capacity, or less if it is
 * a view of a root that has shrunk. */
static inline size_t linn_buf_room(const struct linn_descriptor *d) {
    const struct linn_descriptor *root = d->root;
    if (LINN_LIKELY(root == d)) return d->capacity;
    size_t rest = root->capacity > d->offset ? root->capacity - d->offset : 0;
    return rest < d->capacity ? rest : d->capacity;
}

static inline size_t linn_buf_most(const struct linn_descriptor *d) {
    bool follows = d->root != d && d->capacity == SIZE_MAX;
    return follows ? d->root->max_capacity : d->max_capacity;
}

static inline bool linn_buf_fits(size_t index, size_t n, size_t room) {
    return n <= room && index <= room - n;
}

static inline bool linn_buf_may_write(const struct linn_descriptor *d) {
    return (d->flags & LINN_FLAG_READ_ONLY) == 0;
}

/* ---- bytes ---- */

/* The number of the component that has byte `at`, which is inside the composite. */
uint32_t linn_buf_component_at(struct linn_components *array, size_t at);

/* The address of byte `at` and how many follow it in one piece; 0 < *n where at is
 * inside the room.  NULL: a component has died or shrunk. */
unsigned char *linn_buf_piece(const struct linn_descriptor *d, size_t at,
                              size_t *n);

/* The address of [at, at + n), inside the room, if it is one piece; else NULL. */
static inline unsigned char *linn_buf_straight(const struct linn_descriptor *d,
                                               size_t at, size_t n) {
    const struct linn_descriptor *root = d->root;
    if (LINN_LIKELY(root->data != NULL)) return root->data + d->offset + at;
    size_t piece = 0;
    unsigned char *p = n == 0 ? NULL : linn_buf_piece(d, at, &piece);
    return piece >= n ? p : NULL;
}

/* [at, at + n) is inside the room.  False: a component has died or shrunk. */
bool linn_buf_copy_out(const struct linn_descriptor *d, size_t at, void *out,
                       size_t n);
bool linn_buf_copy_in(struct linn_descriptor *d, size_t at, const void *in,
                      size_t n);
/* As if by way of a third place, if they overlap. */
bool linn_buf_copy_between(const struct linn_descriptor *from, size_t from_at,
                           struct linn_descriptor *to, size_t to_at, size_t n);

/* ---- lives ---- */

/* A descriptor with a life that has just begun, ready for a buffer of its own: the
 * caller sets data, capacity and max_capacity.  Its handle in *b; NULL when there is
 * no memory. */
struct linn_descriptor *linn_buf_begin(linn_pool *pool, linn_buf *b);

/* Ends what nobody holds any more (LINN_COUNTED_LAST), and what that held. */
void linn_buf_end(struct linn_descriptor *d);

/* Gives up a reference to the buffer named, if it lives. */
void linn_buf_let_go(struct linn_descriptor *d, uint64_t name);

/* The buffer whose count `d` has: itself, or what it is derived from; with its
 * name. */
static inline struct linn_descriptor *linn_buf_owner(struct linn_descriptor *d,
                                                     uint64_t *name) {
    if (LINN_LIKELY((d->flags & LINN_FLAG_DERIVED) == 0)) return d;
    *name = d->of.view.owner_name;
    return d->of.view.owner;
}

/* ---- growth ---- */

/* OK: n bytes fit behind the writer now, the capacity having grown if it must.
 * FULL, FIXED, NO_MEMORY: nothing has changed. */
linn_buf_status linn_buf_make_room(struct linn_descriptor *d, size_t n)
    __attribute__((cold, noinline));

/* The capacity of a composite; in buf_composite.c. */
linn_buf_status linn_composite_resize(struct linn_descriptor *d,
                                      size_t capacity);
/* Drops what is wholly below `bytes`, and moves the rest to the front; the number of
 * bytes dropped. */
size_t linn_composite_drop_front(struct linn_descriptor *d, size_t bytes);

static inline bool linn_buf_has_room(const struct linn_descriptor *d,
                                     size_t n) {
    size_t room = linn_buf_room(d);
    return d->writer <= room && n <= room - d->writer;
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_BUF_H_ */
