#define SYNC_LAYER LINN_COUNT_BUFFER
/* Search, comparison, hash and text.  Everything goes piece by piece, so that a
 * composite is no slower than its pieces are many. */

#include "alloc/buf.h"

/* A place that moves through [at, end). */
struct walk {
    const struct linn_descriptor *d;
    size_t at, end;
    const unsigned char *p;
    size_t n; /* bytes at p */
};

/* The next piece.  False at the end, and if a component has died or shrunk, which
 * leaves at < end. */
static bool walk_next(struct walk *w) {
    w->at += w->n;
    w->n = 0;
    if (w->at >= w->end) return false;
    w->p = linn_buf_piece(w->d, w->at, &w->n);
    if (w->p == NULL) {
        w->n = 0;
        return false;
    }
    if (w->n > w->end - w->at) w->n = w->end - w->at;
    return true;
}

/* Over [index, index + n); over nothing after an error. */
static linn_buf_status walk_begin(struct walk *w, linn_buf b, size_t index,
                                  size_t n) {
    struct walk over = {linn_buf_look(b), index, index, NULL, 0};
    *w = over;
    if (w->d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, index, n);
    if (!linn_buf_fits(index, n, linn_buf_room(w->d))) {
        return linn_buf_fail(b, LINN_BUF_INDEX, index, n);
    }
    w->end = index + n;
    return LINN_BUF_OK;
}

/* Nothing was found up to the end, or up to a broken component. */
static linn_buf_status walk_over(const struct walk *w, linn_buf b) {
    if (w->at >= w->end) return LINN_BUF_NOT_FOUND;
    return linn_buf_fail(b, LINN_BUF_INDEX, w->at, w->end - w->at);
}

linn_buf_status linn_buf_find_byte(linn_buf b, size_t index, size_t n,
                                   uint8_t byte, size_t *found) {
    struct walk w;
    linn_buf_status status = walk_begin(&w, b, index, n);
    if (status != LINN_BUF_OK) return status;
    while (walk_next(&w)) {
        const void *p = memchr(w.p, byte, w.n);
        if (p == NULL) continue;
        *found = w.at + (size_t)((const unsigned char *)p - w.p);
        return LINN_BUF_OK;
    }
    return walk_over(&w, b);
}

/* Downward there are no pieces: a piece is known by its first byte.  So the bytes
 * come by blocks. */
enum { BLOCK = 256 };

linn_buf_status linn_buf_for_each_down(linn_buf b, size_t index, size_t n,
                                       linn_buf_visitor visit, void *context,
                                       size_t *stopped) {
    if (visit == NULL) return linn_buf_fail(b, LINN_BUF_ARGUMENT, index, n);
    struct walk w;
    linn_buf_status status = walk_begin(&w, b, index, n);
    if (status != LINN_BUF_OK) return status;
    unsigned char block[BLOCK];
    while (n > 0) {
        size_t part = n < BLOCK ? n : BLOCK;
        n -= part;
        if (!linn_buf_copy_out(w.d, index + n, block, part)) {
            return linn_buf_fail(b, LINN_BUF_INDEX, index + n, part);
        }
        for (size_t i = part; i-- > 0;) {
            if (visit(block[i], context)) continue;
            if (stopped != NULL) *stopped = index + n + i;
            return LINN_BUF_OK;
        }
    }
    return LINN_BUF_NOT_FOUND;
}

linn_buf_status linn_buf_for_each(linn_buf b, size_t index, size_t n,
                                  linn_buf_visitor visit, void *context,
                                  size_t *stopped) {
    if (visit == NULL) return linn_buf_fail(b, LINN_BUF_ARGUMENT, index, n);
    struct walk w;
    linn_buf_status status = walk_begin(&w, b, index, n);
    if (status != LINN_BUF_OK) return status;
    while (walk_next(&w)) {
        for (size_t i = 0; i < w.n; i++) {
            if (visit(w.p[i], context)) continue;
            if (stopped != NULL) *stopped = w.at + i;
            return LINN_BUF_OK;
        }
    }
    return walk_over(&w, b);
}

static bool differs(uint8_t byte, void *context) {
    return byte != *(const uint8_t *)context;
}

linn_buf_status linn_buf_find_last_byte(linn_buf b, size_t index, size_t n,
                                        uint8_t byte, size_t *found) {
    return linn_buf_for_each_down(b, index, n, differs, &byte, found);
}

/* A set of bytes: bit `byte` of 256. */
struct byte_set {
    uint64_t word[4];
};

static bool is_outside(uint8_t byte, void *context) {
    const struct byte_set *set = (const struct byte_set *)context;
    return (set->word[byte / 64] >> (byte % 64) & 1) == 0;
}

linn_buf_status linn_buf_find_any(linn_buf b, size_t index, size_t n,
                                  const void *bytes, size_t count,
                                  size_t *found) {
    struct byte_set set = {{0, 0, 0, 0}};
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = ((const uint8_t *)bytes)[i];
        set.word[byte / 64] |= UINT64_C(1) << (byte % 64);
    }
    return linn_buf_for_each(b, index, n, is_outside, &set, found);
}

/* Whether `count` bytes at `at` are these.  False, too, where a component broke. */
static bool matches(const struct linn_descriptor *d, size_t at,
                    const unsigned char *bytes, size_t count) {
    struct walk w = {d, at, at + count, NULL, 0};
    while (walk_next(&w)) {
        if (memcmp(w.p, bytes + (w.at - at), w.n) != 0) return false;
    }
    return w.at >= w.end;
}

linn_buf_status linn_buf_find(linn_buf b, size_t index, size_t n,
                              const void *bytes, size_t count, size_t *found) {
    struct walk w;
    linn_buf_status status = walk_begin(&w, b, index, n);
    if (status != LINN_BUF_OK) return status;
    if (count == 0) {
        *found = index;
        return LINN_BUF_OK;
    }
    const unsigned char *sequence = (const unsigned char *)bytes;
    while (count <= n) {
        size_t at;
        status = linn_buf_find_byte(b, index, n - count + 1, sequence[0], &at);
        if (status != LINN_BUF_OK) return status;
        if (matches(w.d, at, sequence, count)) {
            *found = at;
            return LINN_BUF_OK;
        }
        n -= at + 1 - index;
        index = at + 1;
    }
    return LINN_BUF_NOT_FOUND;
}

linn_buf_status linn_buf_bytes_before(linn_buf b, uint8_t byte, size_t *count) {
    const struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, 0, 0);
    size_t at = d->reader;
    linn_buf_status status =
        linn_buf_find_byte(b, d->reader, d->writer - d->reader, byte, &at);
    if (status == LINN_BUF_OK) *count = at - d->reader;
    return status;
}

/* ---- comparison ---- */

static linn_buf_status walk_readable(struct walk *w, linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    size_t reader = d == NULL ? 0 : d->reader;
    size_t writer = d == NULL ? 0 : d->writer;
    return walk_begin(w, b, reader, writer - reader);
}

/* Steps both by as much as lies in one piece in both; 0 when one is over. */
static size_t walk_both(struct walk *a, struct walk *b) {
    if (a->n == 0 && !walk_next(a)) return 0;
    if (b->n == 0 && !walk_next(b)) return 0;
    return a->n < b->n ? a->n : b->n;
}

static void walk_step(struct walk *w, size_t n) {
    w->at += n;
    w->p += n;
    w->n -= n;
}

linn_buf_status linn_buf_compare(linn_buf a, linn_buf b, int *order) {
    struct walk x, y;
    linn_buf_status status = walk_readable(&x, a);
    if (status == LINN_BUF_OK) status = walk_readable(&y, b);
    if (status != LINN_BUF_OK) return status;
    size_t n;
    while ((n = walk_both(&x, &y)) > 0) {
        int r = memcmp(x.p, y.p, n);
        if (r != 0) {
            *order = r < 0 ? -1 : 1;
            return LINN_BUF_OK;
        }
        walk_step(&x, n);
        walk_step(&y, n);
    }
    *order = (x.at < x.end) - (y.at < y.end);
    return LINN_BUF_OK;
}

bool linn_buf_equal(linn_buf a, linn_buf b) {
    int order;
    if (linn_buf_readable(a) != linn_buf_readable(b)) return false;
    return linn_buf_compare(a, b, &order) == LINN_BUF_OK && order == 0;
}

/* Fowler, Noll and Vo's hash, of 64 bits (FNV-1a): a byte at a time, so that pieces
 * do not matter. */
linn_buf_status linn_buf_hash(linn_buf b, uint64_t *hash) {
    struct walk w;
    linn_buf_status status = walk_readable(&w, b);
    if (status != LINN_BUF_OK) return status;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    while (walk_next(&w)) {
        for (size_t i = 0; i < w.n; i++) {
            h = (h ^ w.p[i]) * UINT64_C(0x100000001b3);
        }
    }
    if (w.at < w.end) return walk_over(&w, b);
    *hash = h;
    return LINN_BUF_OK;
}

/* ---- text ---- */

/* Text that grows in a buffer of fixed size; what does not fit is counted. */
struct text {
    char *out;
    size_t size, length;
};

static void put(struct text *t, char c) {
    if (t->length + 1 < t->size) t->out[t->length] = c;
    t->length++;
}

static void put_hex(struct text *t, uint64_t value, unsigned digits) {
    while (digits-- > 0)
        put(t, "0123456789abcdef"[value >> (4 * digits) & 15]);
}

static size_t finished(struct text *t) {
    if (t->size > 0) {
        t->out[t->length < t->size ? t->length : t->size - 1] = '\0';
    }
    return t->length;
}

size_t linn_buf_hex(linn_buf b, size_t index, size_t n, char *out,
                    size_t size) {
    struct text t = {out, size, 0};
    struct walk w;
    if (walk_begin(&w, b, index, n) == LINN_BUF_OK) {
        while (walk_next(&w)) {
            for (size_t i = 0; i < w.n; i++)
                put_hex(&t, w.p[i], 2);
        }
    }
    return finished(&t);
}

/* 00000010  48 65 6c 6c 6f 2c 20 4e  65 74 74 79 00 00 00 00  |Hello, Netty....| */
static void put_line(struct text *t, size_t offset, const unsigned char *bytes,
                     size_t n) {
    put_hex(t, offset, 8);
    put(t, ' ');
    for (size_t i = 0; i < 16; i++) {
        put(t, ' ');
        if (i == 8) put(t, ' ');
        if (i < n) {
            put_hex(t, bytes[i], 2);
        } else {
            put(t, ' ');
            put(t, ' ');
        }
    }
    put(t, ' ');
    put(t, ' ');
    put(t, '|');
    for (size_t i = 0; i < n; i++) {
        bool printable = bytes[i] >= 0x20 && bytes[i] < 0x7f;
        put(t, printable ? (char)bytes[i] : '.');
    }
    put(t, '|');
    put(t, '\n');
}

size_t linn_buf_hex_pretty(linn_buf b, size_t index, size_t n, char *out,
                           size_t size) {
    struct text t = {out, size, 0};
    struct walk w;
    if (walk_begin(&w, b, index, n) == LINN_BUF_OK) {
        unsigned char line[16];
        for (size_t at = 0; at < n; at += sizeof line) {
            size_t part = n - at < sizeof line ? n - at : sizeof line;
            if (!linn_buf_copy_out(w.d, index + at, line, part)) break;
            put_line(&t, at, line, part);
        }
    }
    return finished(&t);
}
