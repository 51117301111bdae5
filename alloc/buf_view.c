#define SYNC_LAYER LINN_COUNT_BUFFER
/* Views, copies, and wrapped memory. */

#include "alloc/buf.h"

#include "alloc/check.h"

/* What a view is to be. */
struct wish {
    bool retained, duplicate, read_only;
};

/* The list is only added to while the owner lives, and taken as a whole by who ends
 * it: so nothing comes back to a head that was seen (no ABA). */
static void add_derived(struct linn_descriptor *owner,
                        struct linn_descriptor *view) {
    void *seen = sync_ptr_load_relaxed(&owner->derived); /* BD.D1 */
    do {
        sync_ptr_store_relaxed(&view->node.next, seen); /* TS.N2, ours */
        /* BD.D2 relaxed: we hold a reference, and our release of it (BF.R2) comes
         * before the end of the owner. */
    } while (
        !sync_ptr_cas_relaxed_relaxed(&owner->derived, &seen, &view->node));
}

/* A view of [index, index + n), which are inside d's room. */
static linn_buf_status make(linn_buf b, struct linn_descriptor *d, size_t index,
                            size_t n, struct wish wish, linn_buf *out) {
    uint64_t name = b.id;
    struct linn_descriptor *owner = linn_buf_owner(d, &name);
    if (wish.retained) {
        enum linn_counted r = linn_refs_retain(&owner->count, name, 1);
        if (r != LINN_COUNTED) {
            return linn_buf_fail(b, LINN_BUF_REFERENCES, index, n);
        }
    }
    struct linn_descriptor *view = linn_buf_begin(d->pool, out);
    if (view == NULL) {
        if (wish.retained) (void)linn_refs_release(&owner->count, name, 1);
        return linn_buf_fail(b, LINN_BUF_NO_MEMORY, index, n);
    }
    bool follows = wish.duplicate && (d->root == d || d->capacity == SIZE_MAX);
    view->kind = LINN_KIND_VIEW;
    view->flags = (uint16_t)(d->flags & LINN_FLAG_READ_ONLY);
    if (wish.read_only) view->flags |= LINN_FLAG_READ_ONLY;
    if (!wish.retained) view->flags |= LINN_FLAG_DERIVED;
    view->root = d->root;
    view->data = NULL;
    view->offset = d->offset + index;
    view->capacity = follows ? SIZE_MAX : n;
    view->max_capacity = n;
    view->reader = wish.duplicate ? d->reader : 0;
    view->writer = wish.duplicate ? d->writer : n;
    view->of.view.owner = owner;
    view->of.view.owner_name = name;
    if (!wish.retained) add_derived(owner, view);
    return LINN_BUF_OK;
}

static linn_buf_status slice(linn_buf b, size_t index, size_t n, bool retained,
                             linn_buf *out) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, index, n);
    if (out == NULL) return linn_buf_fail(b, LINN_BUF_ARGUMENT, index, n);
    if (!linn_buf_fits(index, n, linn_buf_room(d))) {
        return linn_buf_fail(b, LINN_BUF_INDEX, index, n);
    }
    struct wish wish = {retained, false, false};
    return make(b, d, index, n, wish, out);
}

static linn_buf_status duplicate(linn_buf b, bool retained, bool read_only,
                                 linn_buf *out) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, 0, 0);
    if (out == NULL) return linn_buf_fail(b, LINN_BUF_ARGUMENT, 0, 0);
    struct wish wish = {retained, true, read_only};
    return make(b, d, 0, linn_buf_room(d), wish, out);
}

static linn_buf_status read_slice(linn_buf b, size_t n, bool retained,
                                  linn_buf *out) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, 0, n);
    if (n > d->writer - d->reader) {
        return linn_buf_fail(b, LINN_BUF_UNREADABLE, d->reader, n);
    }
    linn_buf_status status = slice(b, d->reader, n, retained, out);
    if (status == LINN_BUF_OK) d->reader += n;
    return status;
}

linn_buf_status linn_buf_slice(linn_buf b, size_t index, size_t n,
                               linn_buf *out) {
    return slice(b, index, n, false, out);
}

linn_buf_status linn_buf_retained_slice(linn_buf b, size_t index, size_t n,
                                        linn_buf *out) {
    return slice(b, index, n, true, out);
}

linn_buf_status linn_buf_duplicate(linn_buf b, linn_buf *out) {
    return duplicate(b, false, false, out);
}

linn_buf_status linn_buf_retained_duplicate(linn_buf b, linn_buf *out) {
    return duplicate(b, true, false, out);
}

linn_buf_status linn_buf_read_only(linn_buf b, linn_buf *out) {
    return duplicate(b, false, true, out);
}

linn_buf_status linn_buf_retained_read_only(linn_buf b, linn_buf *out) {
    return duplicate(b, true, true, out);
}

linn_buf_status linn_buf_read_slice(linn_buf b, size_t n, linn_buf *out) {
    return read_slice(b, n, false, out);
}

linn_buf_status linn_buf_read_retained_slice(linn_buf b, size_t n,
                                             linn_buf *out) {
    return read_slice(b, n, true, out);
}

linn_buf_status linn_buf_unwrap(linn_buf b, linn_buf *out) {
    const struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, 0, 0);
    if (d->kind != LINN_KIND_VIEW || out == NULL) {
        return linn_buf_fail(b, LINN_BUF_ARGUMENT, 0, 0);
    }
    *out = linn_buf_of(d->of.view.owner_name);
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_copy(linn_buf b, size_t index, size_t n,
                              linn_buf *out) {
    const struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, index, n);
    if (out == NULL) return linn_buf_fail(b, LINN_BUF_ARGUMENT, index, n);
    if (!linn_buf_fits(index, n, linn_buf_room(d))) {
        return linn_buf_fail(b, LINN_BUF_INDEX, index, n);
    }
    linn_buf copy = linn_buf_alloc(d->pool, n);
    struct linn_descriptor *c = linn_buf_look(copy);
    if (c == NULL) return linn_buf_fail(b, LINN_BUF_NO_MEMORY, index, n);
    if (!linn_buf_copy_out(d, index, c->data, n)) {
        (void)linn_buf_release(copy);
        return linn_buf_fail(b, LINN_BUF_INDEX, index, n);
    }
    c->writer = n;
    *out = copy;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_wrap(void *memory, size_t n, linn_buf_releaser release,
                              void *context, linn_buf *out) {
    if (out == NULL || (memory == NULL && n > 0)) {
        return linn_buf_fail(linn_buf_none(), LINN_BUF_ARGUMENT, 0, n);
    }
    if (n > LINN_BUF_MAX) {
        return linn_buf_fail(linn_buf_none(), LINN_BUF_CAPACITY, 0, n);
    }
    struct linn_descriptor *d = linn_buf_begin(NULL, out);
    if (d == NULL) {
        return linn_buf_fail(linn_buf_none(), LINN_BUF_NO_MEMORY, 0, n);
    }
    d->kind = LINN_KIND_WRAPPED;
    d->data = (unsigned char *)memory;
    d->capacity = d->max_capacity = d->writer = n;
    d->of.wrapped.release = release;
    d->of.wrapped.context = context;
    return LINN_BUF_OK;
}
