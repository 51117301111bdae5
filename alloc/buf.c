#define SYNC_LAYER LINN_COUNT_BUFFER
/* Lives, references, capacity and indices. */

#include "alloc/buf.h"

#include "alloc/check.h"
#include "alloc/misuse.h"
#include "alloc/pool.h"
#include "alloc/thread_cache.h"

/* ---- errors ---- */

static __thread struct linn_buf_error last_error
    __attribute__((tls_model("initial-exec")));

linn_buf_status linn_buf_fail(linn_buf b, linn_buf_status status, size_t index,
                              size_t length) {
    struct linn_buf_error error = {status, b, index, length, 0, 0, 0, 0};
    const struct linn_descriptor *d = linn_buf_look(b);
    if (d != NULL) {
        error.reader = d->reader;
        error.writer = d->writer;
        error.capacity = linn_buf_room(d);
        error.max_capacity = linn_buf_most(d);
    }
    last_error = error;
    return status;
}

void linn_buf_last_error(struct linn_buf_error *out) {
    if (out != NULL) *out = last_error;
}

struct status_text {
    const char *name, *sentence;
};
static const struct status_text texts[] = {
    [LINN_BUF_OK] = {"ok", "nothing was wrong"},
    [LINN_BUF_DEAD] = {"dead", "no living buffer has this handle"},
    [LINN_BUF_INDEX] = {"index",
                        "beyond the capacity, or indices out of order"},
    [LINN_BUF_UNREADABLE] = {"unreadable", "not so many bytes are readable"},
    [LINN_BUF_FULL] = {"full", "does not fit below the maximum"},
    [LINN_BUF_CAPACITY] = {"capacity", "beyond the maximum"},
    [LINN_BUF_FIXED] = {"fixed", "the capacity of this kind cannot change"},
    [LINN_BUF_READ_ONLY] = {"read-only", "the view is read-only"},
    [LINN_BUF_ARGUMENT] = {"argument",
                           "a NULL, a count of 0, or no such thing"},
    [LINN_BUF_REFERENCES] = {"references", "too many references, or too few"},
    [LINN_BUF_UNPUBLISHED] = {"unpublished", "the buffer is not published"},
    [LINN_BUF_SHARED] = {"shared", "the caller is not the sole owner"},
    [LINN_BUF_NO_MEMORY] = {"no memory", "the system gives no memory"},
    [LINN_BUF_SCATTERED] = {"scattered", "the bytes do not lie in one piece"},
    [LINN_BUF_NOT_FOUND] = {"not found", "not found"},
    [LINN_BUF_END] = {"end", "the end of the file"},
    [LINN_BUF_AGAIN] = {"again", "nothing can be moved now"},
    [LINN_BUF_SYSTEM] = {"system", "the system refused"},
};

static struct status_text text_of(linn_buf_status status) {
    struct status_text unknown = {"unknown", "no such status"};
    size_t known = sizeof texts / sizeof texts[0];
    return (size_t)status < known ? texts[status] : unknown;
}

const char *linn_buf_status_name(linn_buf_status status) {
    return text_of(status).name;
}

size_t linn_buf_error_text(const struct linn_buf_error *error, char *out,
                           size_t size) {
    return linn_format(
        out, size,
        "index %zu, length %zu: %s (reader %zu, writer %zu, capacity %zu, "
        "maximum %zu)",
        error->index, error->length, text_of(error->status).sentence,
        error->reader, error->writer, error->capacity, error->max_capacity);
}

static linn_buf_status dead(linn_buf b) {
    return linn_buf_fail(b, LINN_BUF_DEAD, 0, 0);
}

/* ---- descriptors ---- */

/* A thread that has never asked the pool for a block has no record, and so no
 * cache. */
static void register_thread(void) {
    struct linn_pool_core *core = linn_pool_find(NULL, "linn_buf_alloc");
    if (core != &linn_pool_cores[0]) return; /* not built yet */
    struct linn_visit v;
    linn_visit_enter(&v, core, 0, false);
    linn_visit_leave(&v);
}

static __attribute__((cold, noinline)) struct linn_descriptor *take_shared(
    void) {
    if (linn_tls.caches == &linn_no_caches) register_thread();
    return linn_descriptor_take();
}

/* The calling thread's cache, entered; NULL when it has none or a frame below is
 * inside.  The second look is for a handler that came in between and, being in the
 * child of a fork, gave the record up. */
static inline struct linn_descriptor_cache *enter_cache(void) {
    struct linn_caches *caches = linn_tls.caches;
    if (LINN_UNLIKELY(!linn_descriptor_enter(&caches->descriptors))) {
        return NULL;
    }
    if (LINN_LIKELY(linn_tls.caches == caches)) return &caches->descriptors;
    linn_descriptor_leave(&caches->descriptors);
    return NULL;
}

static inline struct linn_descriptor *take(void) {
    struct linn_descriptor_cache *c = enter_cache();
    if (LINN_UNLIKELY(c == NULL)) return take_shared();
    struct linn_descriptor *d = linn_descriptor_pop(c);
    linn_descriptor_leave(c);
    return d;
}

static inline void give(struct linn_descriptor *d) {
    struct linn_descriptor_cache *c =
        LINN_LIKELY(!linn_descriptor_is_spent(d)) ? enter_cache() : NULL;
    if (LINN_UNLIKELY(c == NULL)) {
        linn_descriptor_give(d);
        return;
    }
    linn_descriptor_push(c, d);
    linn_descriptor_leave(c);
}

/* ---- lives ---- */

static inline struct linn_descriptor *begin(linn_pool *pool, linn_buf *b) {
    struct linn_descriptor *d = take();
    if (LINN_UNLIKELY(d == NULL)) return NULL;
    d->reader = d->writer = 0;
    d->marked_reader = d->marked_writer = 0;
    d->pool = pool;
    b->id = linn_refs_begin(&d->count) | d->index;
    return d;
}

struct linn_descriptor *linn_buf_begin(linn_pool *pool, linn_buf *b) {
    return begin(pool, b);
}

/* As a descriptor is while it is nobody's. */
static void reset(struct linn_descriptor *d) {
    d->root = d;
    d->offset = 0;
    d->kind = LINN_KIND_OWN;
    d->flags = 0;
}

/* One reference of a buffer that ends goes; if it was the last one, that buffer is
 * to end too. */
static void let_go(struct linn_descriptor *d, uint64_t name,
                   struct linn_stack_node **todo) {
    if (!linn_refs_is_live(&d->count, name)) return; /* its user's mistake */
    d = linn_buf_owner(d, &name);
    if (linn_refs_release(&d->count, name, 1) != LINN_COUNTED_LAST) return;
    sync_ptr_store_relaxed(&d->node.next, *todo); /* TS.N2, ours */
    *todo = &d->node;
}

/* The views that shared the count: their lives end with it. */
static void end_derived(struct linn_descriptor *d) {
    /* BD.D1 relaxed: all who could add are done, and we have seen them release. */
    struct linn_stack_node *node =
        (struct linn_stack_node *)sync_ptr_load_relaxed(&d->derived);
    if (LINN_LIKELY(node == NULL)) return;
    sync_ptr_store_relaxed(&d->derived, NULL); /* BD.D3 */
    while (node != NULL) {
        struct linn_descriptor *view = linn_descriptor_of(node);
        node = linn_stack_node_next(node);
        enum linn_counted r =
            linn_refs_release(&view->count, linn_buf_handle(view).id, 1);
        LINN_CHECK(r == LINN_COUNTED_LAST);
        reset(view);
        give(view);
    }
}

static void end_one(struct linn_descriptor *d, struct linn_stack_node **todo) {
    struct linn_components *array;
    end_derived(d);
    switch ((enum linn_descriptor_kind)d->kind) {
        case LINN_KIND_OWN:
            linn_free(d->data);
            give(d);
            return;
        case LINN_KIND_WRAPPED:
            if (d->of.wrapped.release != NULL) {
                d->of.wrapped.release(d->data, d->max_capacity,
                                      d->of.wrapped.context);
            }
            break;
        case LINN_KIND_VIEW:
            let_go(d->of.view.owner, d->of.view.owner_name, todo);
            break;
        case LINN_KIND_COMPOSITE:
            array = d->of.composite.array;
            for (uint32_t i = 0; array != NULL && i < array->count; i++) {
                let_go(array->of[i].d, array->of[i].name, todo);
            }
            linn_free(array);
            break;
    }
    reset(d);
    give(d);
}

/* A list and no recursion: slices of slices may be thousands deep. */
static void end_all(struct linn_stack_node *todo) {
    while (LINN_UNLIKELY(todo != NULL)) {
        struct linn_descriptor *d = linn_descriptor_of(todo);
        todo = linn_stack_node_next(todo);
        end_one(d, &todo);
    }
}

void linn_buf_end(struct linn_descriptor *d) {
    struct linn_stack_node *todo = NULL;
    end_one(d, &todo);
    end_all(todo);
}

void linn_buf_let_go(struct linn_descriptor *d, uint64_t name) {
    struct linn_stack_node *todo = NULL;
    let_go(d, name, &todo);
    end_all(todo);
}

/* ---- allocation ---- */

static inline linn_buf_status alloc(linn_pool *pool, size_t capacity,
                                    size_t max_capacity, linn_buf *out) {
    void *data = NULL;
    if (LINN_LIKELY(capacity > 0)) {
        data = linn_alloc(pool, capacity);
        if (LINN_UNLIKELY(data == NULL)) return LINN_BUF_NO_MEMORY;
    }
    struct linn_descriptor *d = begin(pool, out);
    if (LINN_UNLIKELY(d == NULL)) {
        linn_free(data);
        return LINN_BUF_NO_MEMORY;
    }
    d->data = (unsigned char *)data;
    d->capacity = capacity;
    d->max_capacity = max_capacity;
    return LINN_BUF_OK;
}

linn_buf linn_buf_alloc(linn_pool *pool, size_t capacity) {
    linn_buf b;
    linn_buf_status status = LINN_BUF_CAPACITY;
    if (LINN_LIKELY(capacity <= LINN_BUF_MAX)) {
        status = alloc(pool, capacity, LINN_BUF_MAX, &b);
        if (LINN_LIKELY(status == LINN_BUF_OK)) return b;
    }
    (void)linn_buf_fail(linn_buf_none(), status, 0, capacity);
    return linn_buf_none();
}

linn_buf_status linn_buf_alloc_max(linn_pool *pool, size_t capacity,
                                   size_t max_capacity, linn_buf *out) {
    linn_buf_status status = LINN_BUF_CAPACITY;
    if (out == NULL) {
        status = LINN_BUF_ARGUMENT;
    } else if (capacity <= max_capacity && max_capacity <= LINN_BUF_MAX) {
        linn_buf b;
        status = alloc(pool, capacity, max_capacity, &b);
        if (status == LINN_BUF_OK) {
            *out = b;
            return status;
        }
    }
    return linn_buf_fail(linn_buf_none(), status, 0, capacity);
}

/* ---- references ---- */

static linn_buf_status said(linn_buf b, enum linn_counted r, uint32_t n) {
    switch (r) {
        case LINN_COUNTED:
        case LINN_COUNTED_LAST:
            return LINN_BUF_OK;
        case LINN_COUNTED_DEAD:
            return linn_buf_fail(b, LINN_BUF_DEAD, 0, n);
        case LINN_COUNTED_UNPUBLISHED:
            return linn_buf_fail(b, LINN_BUF_UNPUBLISHED, 0, n);
        case LINN_COUNTED_SHARED:
            return linn_buf_fail(b, LINN_BUF_SHARED, 0, n);
        case LINN_COUNTED_TOO_MANY:
        case LINN_COUNTED_TOO_FEW:
            break;
    }
    return linn_buf_fail(b, LINN_BUF_REFERENCES, 0, n);
}

linn_buf_status linn_buf_retain_n(linn_buf b, uint32_t n) {
    if (n == 0) return linn_buf_fail(b, LINN_BUF_ARGUMENT, 0, n);
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return dead(b);
    uint64_t name = b.id;
    d = linn_buf_owner(d, &name);
    enum linn_counted r = linn_refs_retain(&d->count, name, n);
    return LINN_LIKELY(r == LINN_COUNTED) ? LINN_BUF_OK : said(b, r, n);
}

linn_buf_status linn_buf_retain(linn_buf b) {
    return linn_buf_retain_n(b, 1);
}

static linn_buf_status release(linn_buf b, uint32_t n, bool *freed) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (LINN_UNLIKELY(d == NULL)) return dead(b);
    uint64_t name = b.id;
    d = linn_buf_owner(d, &name);
    enum linn_counted r = linn_refs_release(&d->count, name, n);
    if (LINN_LIKELY(r == LINN_COUNTED_LAST)) {
        linn_buf_end(d);
        *freed = true;
        return LINN_BUF_OK;
    }
    return LINN_LIKELY(r == LINN_COUNTED) ? LINN_BUF_OK : said(b, r, n);
}

static __attribute__((cold, noinline)) linn_buf_status
release_slow(linn_buf b) {
    bool freed;
    return release(b, 1, &freed);
}

/* What most releases are: of a buffer of its own, of which nothing was derived, by
 * the one who has it.  All that is asked lies in the first line but one word, and is
 * asked only after the word has said that the buffer is ours. */
linn_buf_status linn_buf_release(linn_buf b) {
    struct linn_descriptor *d = linn_descriptor_at((uint32_t)b.id);
    if (LINN_UNLIKELY(d == NULL) ||
        LINN_UNLIKELY(!linn_refs_is_last(&d->count, b.id)) ||
        LINN_UNLIKELY(d->kind != LINN_KIND_OWN) ||
        LINN_UNLIKELY(sync_ptr_load_relaxed(&d->derived) != NULL)) { /* BD.D1 */
        return release_slow(b);
    }
    void *data = d->data;
    struct linn_descriptor_cache *c = NULL;
    if (LINN_LIKELY(linn_refs_end(&d->count, b.id))) c = enter_cache();
    if (LINN_LIKELY(c != NULL)) {
        linn_descriptor_push(c, d);
        linn_descriptor_leave(c);
    } else {
        linn_descriptor_give(d);
    }
    linn_free(data);
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_release_n(linn_buf b, uint32_t n, bool *freed) {
    if (n == 0) return linn_buf_fail(b, LINN_BUF_ARGUMENT, 0, n);
    bool last = false;
    linn_buf_status status = release(b, n, &last);
    if (freed != NULL && status == LINN_BUF_OK) *freed = last;
    return status;
}

uint32_t linn_buf_references(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return 0;
    uint64_t name = b.id;
    d = linn_buf_owner(d, &name);
    return linn_refs_read(&d->count, name);
}

bool linn_buf_is_sole_owner(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return false;
    uint64_t name = b.id;
    d = linn_buf_owner(d, &name);
    return linn_refs_is_sole(&d->count, name);
}

linn_buf_status linn_buf_publish(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return dead(b);
    if ((d->flags & LINN_FLAG_DERIVED) != 0) {
        return linn_buf_fail(b, LINN_BUF_ARGUMENT, 0, 0);
    }
    return said(b, linn_refs_publish(&d->count, b.id), 1);
}

/* Looks at nothing of the descriptor but its word: the caller holds nothing.  (The
 * word of a derived view is never published.) */
linn_buf_status linn_buf_try_retain(linn_buf b) {
    struct linn_descriptor *d = linn_descriptor_at((uint32_t)b.id);
    if (d == NULL) return dead(b);
    enum linn_counted r = linn_refs_try_retain(&d->count, b.id);
    if (LINN_LIKELY(r == LINN_COUNTED)) return LINN_BUF_OK;
    if (r == LINN_COUNTED_DEAD) return LINN_BUF_DEAD;
    return r == LINN_COUNTED_UNPUBLISHED ? LINN_BUF_UNPUBLISHED
                                         : LINN_BUF_REFERENCES;
}

linn_pool *linn_buf_pool(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? NULL : d->pool;
}

/* ---- capacity ---- */

size_t linn_buf_capacity(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? 0 : linn_buf_room(d);
}

size_t linn_buf_max_capacity(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? 0 : linn_buf_most(d);
}

#define GROWTH_LEAST ((size_t)64)
#define GROWTH_STEP  ((size_t)4 << 20)

size_t linn_buf_grown_capacity(size_t needed, size_t max_capacity) {
    if (needed >= max_capacity) return needed;
    size_t grown = GROWTH_LEAST;
    if (needed > GROWTH_STEP) {
        size_t steps = needed / GROWTH_STEP; /* one more, even if it fits */
        if (steps >= LINN_BUF_MAX / GROWTH_STEP) return max_capacity;
        grown = (steps + 1) * GROWTH_STEP;
    } else {
        while (grown < needed)
            grown *= 2;
    }
    return grown < max_capacity ? grown : max_capacity;
}

static size_t block_bytes(const struct linn_descriptor *root) {
    return root->data == NULL ? 0 : linn_usable_size(root->data);
}

/* Whether a block of `have` bytes is kept for so few: Netty's rule. */
static bool is_kept_for(size_t capacity, size_t have) {
    return capacity > have / 2 && (have > 512 || capacity + 16 > have);
}

/* Of a buffer of its own; nothing changes unless all of it can be done. */
static linn_buf_status resize_own(struct linn_descriptor *d, size_t capacity) {
    size_t have = block_bytes(d);
    bool shrinks = capacity < d->capacity;
    if (capacity <= have && (!shrinks || is_kept_for(capacity, have))) {
        d->capacity = capacity;
        return LINN_BUF_OK;
    }
    unsigned char *moved = NULL;
    if (capacity > 0) {
        moved = (unsigned char *)linn_alloc(d->pool, capacity);
        if (moved == NULL && !shrinks) return LINN_BUF_NO_MEMORY;
        if (moved == NULL) { /* the block that there is will do */
            d->capacity = capacity;
            return LINN_BUF_OK;
        }
        size_t keep = shrinks ? capacity : d->capacity;
        if (keep > 0) memcpy(moved, d->data, keep);
    }
    linn_free(d->data);
    d->data = moved;
    d->capacity = capacity;
    return LINN_BUF_OK;
}

/* The buffer whose capacity `d`'s is: itself or, of a duplicate, its root; NULL if
 * it cannot change. */
static struct linn_descriptor *resizable(struct linn_descriptor *d) {
    struct linn_descriptor *root = d->root;
    if (!linn_buf_may_write(d)) return NULL;
    if (root != d && d->capacity != SIZE_MAX) return NULL;
    return root->kind == LINN_KIND_WRAPPED ? NULL : root;
}

static linn_buf_status resize(struct linn_descriptor *d, size_t capacity) {
    struct linn_descriptor *root = resizable(d);
    if (root == NULL) {
        return linn_buf_may_write(d) ? LINN_BUF_FIXED : LINN_BUF_READ_ONLY;
    }
    return root->kind == LINN_KIND_COMPOSITE
               ? linn_composite_resize(root, capacity)
               : resize_own(root, capacity);
}

static void clamp(struct linn_descriptor *d, size_t capacity) {
    if (d->writer > capacity) d->writer = capacity;
    if (d->reader > capacity) d->reader = capacity;
}

linn_buf_status linn_buf_set_capacity(linn_buf b, size_t capacity) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return dead(b);
    linn_buf_status status = LINN_BUF_OK;
    if (capacity > linn_buf_most(d)) {
        status = LINN_BUF_CAPACITY;
    } else if (capacity != linn_buf_room(d)) {
        status = resize(d, capacity);
    }
    if (status != LINN_BUF_OK) return linn_buf_fail(b, status, 0, capacity);
    clamp(d, capacity);
    if (d->root != d) clamp(d->root, capacity);
    return LINN_BUF_OK;
}

/* What the capacity can become without a move. */
static size_t capacity_in_place(struct linn_descriptor *d) {
    size_t room = linn_buf_room(d);
    const struct linn_descriptor *root = resizable(d);
    if (root == NULL || root->kind != LINN_KIND_OWN) return room;
    size_t have = block_bytes(root);
    size_t most = linn_buf_most(d);
    if (have > most) have = most;
    return have > room ? have : room;
}

linn_buf_status linn_buf_make_room(struct linn_descriptor *d, size_t n) {
    size_t most = linn_buf_most(d);
    if (d->writer > most || n > most - d->writer) {
        return LINN_BUF_FULL;
    }
    size_t needed = d->writer + n;
    size_t capacity = capacity_in_place(d);
    if (needed > capacity) capacity = linn_buf_grown_capacity(needed, most);
    return resize(d, capacity);
}

linn_buf_ensured linn_buf_ensure_writable(linn_buf b, size_t n, bool force) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) {
        (void)dead(b);
        return LINN_BUF_NOT_ENOUGH;
    }
    if (linn_buf_has_room(d, n)) return LINN_BUF_ENOUGH;
    linn_buf_status status = linn_buf_make_room(d, n);
    if (status == LINN_BUF_OK) return LINN_BUF_GROWN;
    size_t most = linn_buf_most(d);
    if (status == LINN_BUF_FULL && force && linn_buf_room(d) < most) {
        status = resize(d, most);
        if (status == LINN_BUF_OK) return LINN_BUF_GROWN_TO_MAX;
    }
    (void)linn_buf_fail(b, status, d->writer, n);
    return LINN_BUF_NOT_ENOUGH;
}

size_t linn_buf_max_fast_writable(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return 0;
    size_t capacity = capacity_in_place(d);
    return capacity > d->writer ? capacity - d->writer : 0;
}

/* ---- indices ---- */

size_t linn_buf_reader(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? 0 : d->reader;
}

size_t linn_buf_writer(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? 0 : d->writer;
}

size_t linn_buf_readable(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? 0 : d->writer - d->reader;
}

static size_t behind_writer(const struct linn_descriptor *d, size_t end) {
    return end > d->writer ? end - d->writer : 0;
}

size_t linn_buf_writable(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? 0 : behind_writer(d, linn_buf_room(d));
}

size_t linn_buf_max_writable(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? 0 : behind_writer(d, linn_buf_most(d));
}

static linn_buf_status set_indices(linn_buf b, struct linn_descriptor *d,
                                   size_t reader, size_t writer) {
    if (reader > writer || writer > linn_buf_room(d)) {
        return linn_buf_fail(b, LINN_BUF_INDEX, reader,
                             writer > reader ? writer - reader : 0);
    }
    d->reader = reader;
    d->writer = writer;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_set_reader(linn_buf b, size_t reader) {
    struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? dead(b) : set_indices(b, d, reader, d->writer);
}

linn_buf_status linn_buf_set_writer(linn_buf b, size_t writer) {
    struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? dead(b) : set_indices(b, d, d->reader, writer);
}

linn_buf_status linn_buf_set_indices(linn_buf b, size_t reader, size_t writer) {
    struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? dead(b) : set_indices(b, d, reader, writer);
}

linn_buf_status linn_buf_clear(linn_buf b) {
    return linn_buf_set_indices(b, 0, 0);
}

linn_buf_status linn_buf_skip(linn_buf b, size_t n) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return dead(b);
    if (n > d->writer - d->reader) {
        return linn_buf_fail(b, LINN_BUF_UNREADABLE, d->reader, n);
    }
    d->reader += n;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_mark_reader(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return dead(b);
    d->marked_reader = d->reader;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_reset_reader(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? dead(b) : set_indices(b, d, d->marked_reader, d->writer);
}

linn_buf_status linn_buf_mark_writer(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return dead(b);
    d->marked_writer = d->writer;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_reset_writer(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? dead(b) : set_indices(b, d, d->reader, d->marked_writer);
}

/* ---- discarding ---- */

static size_t less(size_t a, size_t b) {
    return a > b ? a - b : 0;
}

/* Everything has moved n bytes to the front. */
static void shift(struct linn_descriptor *d, size_t n) {
    d->reader -= n;
    d->writer -= n;
    d->marked_reader = less(d->marked_reader, n);
    d->marked_writer = less(d->marked_writer, n);
}

static linn_buf_status discard(linn_buf b, struct linn_descriptor *d) {
    size_t n = d->reader;
    if (n == 0) return LINN_BUF_OK;
    if (!linn_buf_may_write(d)) {
        return linn_buf_fail(b, LINN_BUF_READ_ONLY, 0, n);
    }
    size_t readable = d->writer - n;
    if (readable > 0 && !linn_buf_fits(n, readable, linn_buf_room(d))) {
        return linn_buf_fail(b, LINN_BUF_INDEX, n, readable);
    }
    if (d->kind == LINN_KIND_COMPOSITE) {
        n = linn_composite_drop_front(d, n);
    } else if (readable > 0 && !linn_buf_copy_between(d, n, d, 0, readable)) {
        return linn_buf_fail(b, LINN_BUF_INDEX, n, readable);
    }
    shift(d, n);
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_discard_read(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    return d == NULL ? dead(b) : discard(b, d);
}

linn_buf_status linn_buf_discard_some_read(linn_buf b) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return dead(b);
    bool worth = d->reader == d->writer || d->reader >= linn_buf_room(d) / 2;
    return worth ? discard(b, d) : LINN_BUF_OK;
}
