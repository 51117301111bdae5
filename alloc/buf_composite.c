#define SYNC_LAYER LINN_COUNT_BUFFER
/* Composites: their components are (C1) without gaps, from 0 to the capacity, (C2)
 * none of them empty, and (C3) each holds one reference. */

#include "alloc/buf.h"

#include "alloc/check.h"

#define FIRST_ROOM 4

static bool is_whole(const struct linn_descriptor *d) {
    const struct linn_components *array = d->of.composite.array;
    size_t at = 0;
    for (uint32_t i = 0; i < array->count; i++) {
        if (array->of[i].begin != at) return false; /* C1 */
        if (array->of[i].end <= at) return false;   /* C2 */
        at = array->of[i].end;
    }
    return at == d->capacity; /* C1 */
}

static size_t array_bytes(uint32_t room) {
    return sizeof(struct linn_components) +
           room * sizeof(struct linn_component);
}

/* The composite that b is; NULL after an error. */
static struct linn_descriptor *find(linn_buf b, linn_buf_status *status) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) {
        *status = linn_buf_fail(b, LINN_BUF_DEAD, 0, 0);
        return NULL;
    }
    if (d->kind == LINN_KIND_COMPOSITE) return d;
    *status = linn_buf_fail(b, LINN_BUF_ARGUMENT, 0, 0);
    return NULL;
}

linn_buf_status linn_buf_composite(linn_pool *pool, size_t max_components,
                                   linn_buf *out) {
    if (out == NULL || max_components == 0) {
        return linn_buf_fail(linn_buf_none(), LINN_BUF_ARGUMENT, 0,
                             max_components);
    }
    struct linn_components *array =
        (struct linn_components *)linn_alloc(pool, array_bytes(FIRST_ROOM));
    linn_buf b;
    struct linn_descriptor *d = array == NULL ? NULL : linn_buf_begin(pool, &b);
    if (d == NULL) {
        linn_free(array);
        return linn_buf_fail(linn_buf_none(), LINN_BUF_NO_MEMORY, 0,
                             max_components);
    }
    array->count = 0;
    array->room = FIRST_ROOM;
    array->max =
        max_components < UINT32_MAX ? (uint32_t)max_components : UINT32_MAX;
    array->last = 0;
    d->kind = LINN_KIND_COMPOSITE;
    d->data = NULL;
    d->capacity = 0;
    d->max_capacity = LINN_BUF_MAX;
    d->of.composite.array = array;
    *out = b;
    return LINN_BUF_OK;
}

/* ---- the array ---- */

static bool make_room(struct linn_descriptor *d) {
    struct linn_components *array = d->of.composite.array;
    if (array->count < array->room) return true;
    if (array->room > UINT32_MAX / 2) return false;
    uint32_t room = 2 * array->room;
    struct linn_components *larger =
        (struct linn_components *)linn_alloc(d->pool, array_bytes(room));
    if (larger == NULL) return false;
    memcpy(larger, array, array_bytes(array->count));
    larger->room = room;
    linn_free(array);
    d->of.composite.array = larger;
    return true;
}

/* Where components i and above begin and end, after one below was changed. */
static void lay_out(struct linn_descriptor *d, uint32_t i) {
    struct linn_components *array = d->of.composite.array;
    size_t at = i == 0 ? 0 : array->of[i - 1].end;
    for (; i < array->count; i++) {
        size_t bytes = array->of[i].end - array->of[i].begin;
        array->of[i].begin = at;
        at += bytes;
        array->of[i].end = at;
    }
    d->capacity = at;
    LINN_INVARIANT(is_whole(d));
}

/* There is room.  Takes the reference over. */
static void put(struct linn_descriptor *d, uint32_t i,
                struct linn_descriptor *part, uint64_t name, size_t from,
                size_t bytes) {
    struct linn_components *array = d->of.composite.array;
    memmove(&array->of[i + 1], &array->of[i],
            (array->count - i) * sizeof array->of[0]);
    struct linn_component c = {part, name, 0, bytes, from};
    array->of[i] = c;
    array->count++;
    lay_out(d, i);
}

/* Drops n components from i, and their references. */
static void drop(struct linn_descriptor *d, uint32_t i, uint32_t n) {
    struct linn_components *array = d->of.composite.array;
    for (uint32_t k = i; k < i + n; k++) {
        linn_buf_let_go(array->of[k].d, array->of[k].name);
    }
    memmove(&array->of[i], &array->of[i + n],
            (array->count - i - n) * sizeof array->of[0]);
    array->count -= n;
    lay_out(d, i);
}

static void clamp(struct linn_descriptor *d) {
    if (d->writer > d->capacity) d->writer = d->capacity;
    if (d->reader > d->writer) d->reader = d->writer;
}

/* ---- one of all ---- */

static linn_buf_status consolidate(struct linn_descriptor *d) {
    struct linn_components *array = d->of.composite.array;
    if (array->count < 2) return LINN_BUF_OK;
    size_t bytes = d->capacity;
    linn_buf whole = linn_buf_alloc(d->pool, bytes);
    struct linn_descriptor *w = linn_buf_look(whole);
    if (w == NULL) return LINN_BUF_NO_MEMORY;
    if (!linn_buf_copy_out(d, 0, w->data, bytes)) {
        (void)linn_buf_release(whole);
        return LINN_BUF_INDEX;
    }
    w->writer = bytes;
    drop(d, 0, array->count);
    put(d, 0, w, whole.id, 0, bytes);
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_composite_consolidate(linn_buf b) {
    linn_buf_status status;
    struct linn_descriptor *d = find(b, &status);
    if (d == NULL) return status;
    status = consolidate(d);
    return status == LINN_BUF_OK ? status
                                 : linn_buf_fail(b, status, 0, d->capacity);
}

/* ---- adding ---- */

/* All but the release of the part. */
static linn_buf_status insert(struct linn_descriptor *d, bool advance,
                              size_t component, struct linn_descriptor *part,
                              uint64_t name) {
    struct linn_components *array = d->of.composite.array;
    if (component > array->count) return LINN_BUF_INDEX;
    uint64_t owner_name = name;
    if (linn_buf_owner(part, &owner_name) == d) return LINN_BUF_ARGUMENT;
    size_t bytes = part->writer - part->reader;
    if (!linn_buf_fits(part->reader, bytes, linn_buf_room(part))) {
        return LINN_BUF_INDEX;
    }
    if (bytes > LINN_BUF_MAX - d->capacity) return LINN_BUF_CAPACITY;
    if (bytes == 0) {
        linn_buf_let_go(part, name); /* C2 */
        return LINN_BUF_OK;
    }
    if (!make_room(d)) return LINN_BUF_NO_MEMORY;
    put(d, (uint32_t)component, part, name, part->reader, bytes);
    if (advance) d->writer += bytes;
    return LINN_BUF_OK;
}

static void consolidate_if_many(struct linn_descriptor *d) {
    if (d->of.composite.array->count <= d->of.composite.array->max) return;
    (void)consolidate(d); /* without memory it stays as it is */
}

linn_buf_status linn_buf_composite_insert(linn_buf b, bool advance,
                                          size_t component, linn_buf part) {
    struct linn_descriptor *p = linn_buf_look(part);
    if (p == NULL) return linn_buf_fail(part, LINN_BUF_DEAD, component, 0);
    linn_buf_status status;
    struct linn_descriptor *d = find(b, &status);
    if (d != NULL) {
        status = insert(d, advance, component, p, part.id);
        if (status == LINN_BUF_OK) {
            consolidate_if_many(d);
            return status;
        }
        (void)linn_buf_fail(b, status, component, linn_buf_readable(part));
    }
    linn_buf_let_go(p, part.id);
    return status;
}

linn_buf_status linn_buf_composite_add(linn_buf b, bool advance,
                                       linn_buf part) {
    return linn_buf_composite_insert(b, advance,
                                     linn_buf_composite_components(b), part);
}

/* Adds what [from, from + bytes) of a composite is made of, by retained slices. */
static linn_buf_status add_pieces(struct linn_descriptor *d,
                                  const struct linn_descriptor *source,
                                  size_t from, size_t bytes) {
    struct linn_components *array = source->of.composite.array;
    linn_buf_status status = LINN_BUF_OK;
    while (bytes > 0 && status == LINN_BUF_OK) {
        const struct linn_component *c =
            &array->of[linn_buf_component_at(array, from)];
        size_t n = c->end - from;
        if (n > bytes) n = bytes;
        linn_buf piece;
        status = linn_buf_retained_slice(linn_buf_of(c->name),
                                         from - c->begin + c->from, n, &piece);
        if (status != LINN_BUF_OK) break;
        struct linn_descriptor *p = linn_buf_look(piece);
        status = insert(d, false, d->of.composite.array->count, p, piece.id);
        if (status != LINN_BUF_OK) linn_buf_let_go(p, piece.id);
        from += n;
        bytes -= n;
    }
    return status;
}

linn_buf_status linn_buf_composite_add_flattened(linn_buf b, bool advance,
                                                 linn_buf part) {
    struct linn_descriptor *p = linn_buf_look(part);
    linn_buf_status status;
    struct linn_descriptor *d = find(b, &status);
    if (p == NULL || d == NULL || p->root->kind != LINN_KIND_COMPOSITE ||
        p->root == d) {
        return linn_buf_composite_add(b, advance, part);
    }
    uint32_t before = d->of.composite.array->count;
    size_t bytes = p->writer - p->reader;
    status = LINN_BUF_INDEX;
    if (linn_buf_fits(p->reader, bytes, linn_buf_room(p))) {
        status = add_pieces(d, p->root, p->offset + p->reader, bytes);
    }
    if (status != LINN_BUF_OK) {
        drop(d, before, d->of.composite.array->count - before);
        (void)linn_buf_fail(b, status, before, bytes);
    } else {
        if (advance) d->writer += bytes;
        consolidate_if_many(d);
    }
    linn_buf_let_go(p, part.id);
    return status;
}

/* ---- taking away ---- */

linn_buf_status linn_buf_composite_remove(linn_buf b, size_t component,
                                          size_t n) {
    linn_buf_status status;
    struct linn_descriptor *d = find(b, &status);
    if (d == NULL) return status;
    if (!linn_buf_fits(component, n, d->of.composite.array->count)) {
        return linn_buf_fail(b, LINN_BUF_INDEX, component, n);
    }
    drop(d, (uint32_t)component, (uint32_t)n);
    clamp(d);
    return LINN_BUF_OK;
}

size_t linn_composite_drop_front(struct linn_descriptor *d, size_t bytes) {
    struct linn_components *array = d->of.composite.array;
    uint32_t whole = 0;
    while (whole < array->count && array->of[whole].end <= bytes)
        whole++;
    size_t below = whole == 0 ? 0 : array->of[whole - 1].end;
    drop(d, 0, whole);
    if (bytes > below) {
        array->of[0].from += bytes - below;
        array->of[0].end -= bytes - below;
        lay_out(d, 0);
    }
    return bytes;
}

linn_buf_status linn_composite_resize(struct linn_descriptor *d,
                                      size_t capacity) {
    struct linn_components *array = d->of.composite.array;
    if (capacity > d->capacity) {
        size_t bytes = capacity - d->capacity;
        linn_buf more = linn_buf_alloc(d->pool, bytes);
        struct linn_descriptor *m = linn_buf_look(more);
        if (m == NULL || !make_room(d)) {
            if (m != NULL) (void)linn_buf_release(more);
            return LINN_BUF_NO_MEMORY;
        }
        put(d, d->of.composite.array->count, m, more.id, 0, bytes);
        return LINN_BUF_OK;
    }
    uint32_t keep = 0;
    while (keep < array->count && array->of[keep].begin < capacity)
        keep++;
    if (keep > 0 && array->of[keep - 1].end > capacity) {
        array->of[keep - 1].end = capacity;
    }
    drop(d, keep, array->count - keep);
    return LINN_BUF_OK;
}

/* ---- looking ---- */

size_t linn_buf_composite_components(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL || d->kind != LINN_KIND_COMPOSITE) return 0;
    return d->of.composite.array->count;
}

linn_buf_status linn_buf_composite_component(linn_buf b, size_t component,
                                             linn_buf *out, size_t *begin) {
    linn_buf_status status;
    const struct linn_descriptor *d = find(b, &status);
    if (d == NULL) return status;
    const struct linn_components *array = d->of.composite.array;
    if (component >= array->count) {
        return linn_buf_fail(b, LINN_BUF_INDEX, component, 1);
    }
    *out = linn_buf_of(array->of[component].name);
    if (begin != NULL) *begin = array->of[component].begin;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_composite_find(linn_buf b, size_t index,
                                        size_t *component) {
    linn_buf_status status;
    const struct linn_descriptor *d = find(b, &status);
    if (d == NULL) return status;
    if (index >= d->capacity) return linn_buf_fail(b, LINN_BUF_INDEX, index, 1);
    *component = linn_buf_component_at(d->of.composite.array, index);
    return LINN_BUF_OK;
}
