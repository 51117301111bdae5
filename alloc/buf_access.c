#define SYNC_LAYER LINN_COUNT_BUFFER
/* Numbers, bytes, buffers and strings, to and from a buffer. */

#include "alloc/buf.h"

#include <sys/uio.h>

#include "alloc/check.h"

/* ---- pieces ---- */

uint32_t linn_buf_component_at(struct linn_components *array, size_t at) {
    uint32_t low = array->last;
    if (low < array->count && array->of[low].begin <= at &&
        at < array->of[low].end) {
        return low;
    }
    low = 0;
    for (uint32_t high = array->count; high - low > 1;) {
        uint32_t middle = low + (high - low) / 2;
        if (array->of[middle].begin <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    array->last = low;
    return low;
}

unsigned char *linn_buf_piece(const struct linn_descriptor *d, size_t at,
                              size_t *n) {
    size_t most = SIZE_MAX;
    for (;;) {
        const struct linn_descriptor *root = d->root;
        size_t room = linn_buf_room(d);
        if (at >= room) return NULL; /* a component that has shrunk */
        if (most > room - at) most = room - at;
        at += d->offset;
        if (root->data != NULL) {
            *n = most;
            return root->data + at;
        }
        if (root->kind != LINN_KIND_COMPOSITE) return NULL;
        struct linn_components *array = root->of.composite.array;
        const struct linn_component *c =
            &array->of[linn_buf_component_at(array, at)];
        if (!linn_refs_is_live(&c->d->count, c->name)) return NULL;
        if (most > c->end - at) most = c->end - at;
        at = at - c->begin + c->from;
        d = c->d;
    }
}

bool linn_buf_copy_out(const struct linn_descriptor *d, size_t at, void *out,
                       size_t n) {
    unsigned char *to = (unsigned char *)out;
    while (n > 0) {
        size_t piece;
        const unsigned char *p = linn_buf_piece(d, at, &piece);
        if (p == NULL) return false;
        if (piece > n) piece = n;
        memcpy(to, p, piece);
        to += piece;
        at += piece;
        n -= piece;
    }
    return true;
}

bool linn_buf_copy_in(struct linn_descriptor *d, size_t at, const void *in,
                      size_t n) {
    const unsigned char *from = (const unsigned char *)in;
    while (n > 0) {
        size_t piece;
        unsigned char *p = linn_buf_piece(d, at, &piece);
        if (p == NULL) return false;
        if (piece > n) piece = n;
        memmove(p, from, piece); /* the caller's bytes may be the buffer's */
        from += piece;
        at += piece;
        n -= piece;
    }
    return true;
}

/* Piece by piece, upward or downward, so that bytes which overlap are read before
 * they are written.  Buffers that share bytes have the same root, or components in
 * an order that only their maker knows; those go through a block of the stack. */
static bool copy_up(const struct linn_descriptor *from, size_t from_at,
                    struct linn_descriptor *to, size_t to_at, size_t n) {
    while (n > 0) {
        size_t a, b;
        const unsigned char *in = linn_buf_piece(from, from_at, &a);
        unsigned char *out = linn_buf_piece(to, to_at, &b);
        if (in == NULL || out == NULL) return false;
        if (a > b) a = b;
        if (a > n) a = n;
        memmove(out, in, a);
        from_at += a;
        to_at += a;
        n -= a;
    }
    return true;
}

static bool copy_down(const struct linn_descriptor *from, size_t from_at,
                      struct linn_descriptor *to, size_t to_at, size_t n) {
    unsigned char block[512];
    while (n > 0) {
        size_t part = n < sizeof block ? n : sizeof block;
        n -= part;
        if (!linn_buf_copy_out(from, from_at + n, block, part)) return false;
        if (!linn_buf_copy_in(to, to_at + n, block, part)) return false;
    }
    return true;
}

bool linn_buf_copy_between(const struct linn_descriptor *from, size_t from_at,
                           struct linn_descriptor *to, size_t to_at, size_t n) {
    const unsigned char *in = linn_buf_straight(from, from_at, n);
    unsigned char *out = linn_buf_straight(to, to_at, n);
    if (in != NULL && out != NULL) {
        memmove(out, in, n);
        return true;
    }
    bool upward =
        from->root != to->root || from->offset + from_at >= to->offset + to_at;
    return upward ? copy_up(from, from_at, to, to_at, n)
                  : copy_down(from, from_at, to, to_at, n);
}

/* ---- what is asked of a place before it is touched ---- */

/* The bytes [index, index + n) of a living buffer; NULL after an error. */
static inline struct linn_descriptor *to_get(linn_buf b, size_t index, size_t n,
                                             linn_buf_status *status) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (LINN_UNLIKELY(d == NULL)) {
        *status = linn_buf_fail(b, LINN_BUF_DEAD, index, n);
        return NULL;
    }
    if (LINN_UNLIKELY(!linn_buf_fits(index, n, linn_buf_room(d)))) {
        *status = linn_buf_fail(b, LINN_BUF_INDEX, index, n);
        return NULL;
    }
    return d;
}

static inline struct linn_descriptor *to_set(linn_buf b, size_t index, size_t n,
                                             linn_buf_status *status) {
    struct linn_descriptor *d = to_get(b, index, n, status);
    if (LINN_UNLIKELY(d == NULL)) return NULL;
    if (LINN_LIKELY(linn_buf_may_write(d))) return d;
    *status = linn_buf_fail(b, LINN_BUF_READ_ONLY, index, n);
    return NULL;
}

/* n readable bytes. */
static inline struct linn_descriptor *to_read(linn_buf b, size_t n,
                                              linn_buf_status *status) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (LINN_UNLIKELY(d == NULL)) {
        *status = linn_buf_fail(b, LINN_BUF_DEAD, 0, n);
        return NULL;
    }
    if (LINN_UNLIKELY(n > d->writer - d->reader)) {
        *status = linn_buf_fail(b, LINN_BUF_UNREADABLE, d->reader, n);
        return NULL;
    }
    if (LINN_UNLIKELY(!linn_buf_fits(d->reader, n, linn_buf_room(d)))) {
        *status = linn_buf_fail(b, LINN_BUF_INDEX, d->reader, n);
        return NULL;
    }
    return d;
}

/* Room for n bytes behind the writer, which grows if it must. */
static inline struct linn_descriptor *to_write(linn_buf b, size_t n,
                                               linn_buf_status *status) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (LINN_UNLIKELY(d == NULL)) {
        *status = linn_buf_fail(b, LINN_BUF_DEAD, 0, n);
        return NULL;
    }
    if (LINN_UNLIKELY(!linn_buf_may_write(d))) {
        *status = linn_buf_fail(b, LINN_BUF_READ_ONLY, d->writer, n);
        return NULL;
    }
    if (LINN_LIKELY(linn_buf_has_room(d, n))) return d;
    *status = linn_buf_make_room(d, n);
    if (LINN_LIKELY(*status == LINN_BUF_OK)) return d;
    (void)linn_buf_fail(b, *status, d->writer, n);
    return NULL;
}

/* For what should not happen: a component of the user's has died or shrunk. */
static linn_buf_status broken(linn_buf b, size_t index, size_t n) {
    return linn_buf_fail(b, LINN_BUF_INDEX, index, n);
}

/* ---- numbers ---- */

/* The n low bytes of a number as they lie in the buffer.  n is a constant where
 * these are used, so each is a move and at most a swap. */
static inline uint64_t swapped(uint64_t raw, size_t n) {
    return __builtin_bswap64(raw) >> (64 - 8 * n);
}

static const bool machine_is_little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

static inline uint64_t unpack(const unsigned char *p, size_t n, bool little) {
    uint16_t two;
    uint32_t four;
    uint64_t raw = 0;
    switch (n) {
        case 1:
            return *p;
        case 2:
            memcpy(&two, p, sizeof two);
            raw = two;
            break;
        case 4:
            memcpy(&four, p, sizeof four);
            raw = four;
            break;
        case 8:
            memcpy(&raw, p, sizeof raw);
            break;
        default: /* 3 */
            for (size_t i = 0; i < n; i++)
                raw |= (uint64_t)p[i] << (8 * i);
            return little ? raw : swapped(raw, n);
    }
    return little == machine_is_little ? raw : swapped(raw, n);
}

static inline void pack(unsigned char *p, size_t n, bool little, uint64_t raw) {
    uint16_t two;
    uint32_t four;
    if (n == 3) {
        if (!little) raw = swapped(raw, n);
        for (size_t i = 0; i < n; i++)
            p[i] = (unsigned char)(raw >> (8 * i));
        return;
    }
    if (little != machine_is_little) raw = swapped(raw, n);
    switch (n) {
        case 1:
            *p = (unsigned char)raw;
            break;
        case 2:
            two = (uint16_t)raw;
            memcpy(p, &two, sizeof two);
            break;
        case 4:
            four = (uint32_t)raw;
            memcpy(p, &four, sizeof four);
            break;
        default: /* 8 */
            memcpy(p, &raw, sizeof raw);
            break;
    }
}

static inline bool load(const struct linn_descriptor *d, size_t at, size_t n,
                        bool little, uint64_t *raw) {
    const unsigned char *p = linn_buf_straight(d, at, n);
    unsigned char scattered[8];
    if (LINN_UNLIKELY(p == NULL)) {
        if (!linn_buf_copy_out(d, at, scattered, n)) return false;
        p = scattered;
    }
    *raw = unpack(p, n, little);
    return true;
}

static inline bool store(struct linn_descriptor *d, size_t at, size_t n,
                         bool little, uint64_t raw) {
    unsigned char *p = linn_buf_straight(d, at, n);
    if (LINN_LIKELY(p != NULL)) {
        pack(p, n, little, raw);
        return true;
    }
    unsigned char scattered[8];
    pack(scattered, n, little, raw);
    return linn_buf_copy_in(d, at, scattered, n);
}

static inline linn_buf_status get_raw(linn_buf b, size_t index, size_t n,
                                      bool little, uint64_t *raw) {
    linn_buf_status status;
    const struct linn_descriptor *d = to_get(b, index, n, &status);
    if (LINN_UNLIKELY(d == NULL)) return status;
    if (LINN_LIKELY(load(d, index, n, little, raw))) return LINN_BUF_OK;
    return broken(b, index, n);
}

static inline linn_buf_status set_raw(linn_buf b, size_t index, size_t n,
                                      bool little, uint64_t raw) {
    linn_buf_status status;
    struct linn_descriptor *d = to_set(b, index, n, &status);
    if (LINN_UNLIKELY(d == NULL)) return status;
    if (LINN_LIKELY(store(d, index, n, little, raw))) return LINN_BUF_OK;
    return broken(b, index, n);
}

static inline linn_buf_status read_raw(linn_buf b, size_t n, bool little,
                                       uint64_t *raw) {
    linn_buf_status status;
    struct linn_descriptor *d = to_read(b, n, &status);
    if (LINN_UNLIKELY(d == NULL)) return status;
    if (LINN_UNLIKELY(!load(d, d->reader, n, little, raw))) {
        return broken(b, d->reader, n);
    }
    d->reader += n;
    return LINN_BUF_OK;
}

static inline linn_buf_status write_raw(linn_buf b, size_t n, bool little,
                                        uint64_t raw) {
    linn_buf_status status;
    struct linn_descriptor *d = to_write(b, n, &status);
    if (LINN_UNLIKELY(d == NULL)) return status;
    if (LINN_UNLIKELY(!store(d, d->writer, n, little, raw))) {
        return broken(b, d->writer, n);
    }
    d->writer += n;
    return LINN_BUF_OK;
}

/* Between a value and its low bytes. */
static inline uint64_t raw_of_f32(float value) {
    uint32_t raw;
    memcpy(&raw, &value, sizeof raw);
    return raw;
}
static inline float f32_of(uint64_t raw) {
    uint32_t low = (uint32_t)raw;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}
static inline uint64_t raw_of_f64(double value) {
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    return raw;
}
static inline double f64_of(uint64_t raw) {
    double value;
    memcpy(&value, &raw, sizeof value);
    return value;
}
#define RAW_OF_INTEGER(value) ((uint64_t)(value))
#define BOOL_OF(raw)          ((raw) != 0)
#define U8_OF(raw)            ((uint8_t)(raw))
#define I8_OF(raw)            ((int8_t)(raw))
#define U16_OF(raw)           ((uint16_t)(raw))
#define I16_OF(raw)           ((int16_t)(raw))
#define U32_OF(raw)           ((uint32_t)(raw))
#define I32_OF(raw)           ((int32_t)(raw))
/* Its sign is bit 23. */
#define I24_OF(raw) ((int32_t)((uint32_t)(raw) << 8) / 256)
#define U64_OF(raw) (raw)
#define I64_OF(raw) ((int64_t)(raw))

#define NUMBER(name, type, n, little, raw_of, of)                    \
    linn_buf_status linn_buf_get_##name(linn_buf b, size_t index,    \
                                        type *value) {               \
        uint64_t raw = 0;                                            \
        linn_buf_status status = get_raw(b, index, n, little, &raw); \
        if (LINN_LIKELY(status == LINN_BUF_OK)) *value = of(raw);    \
        return status;                                               \
    }                                                                \
    linn_buf_status linn_buf_set_##name(linn_buf b, size_t index,    \
                                        type value) {                \
        return set_raw(b, index, n, little, raw_of(value));          \
    }                                                                \
    linn_buf_status linn_buf_read_##name(linn_buf b, type *value) {  \
        uint64_t raw = 0;                                            \
        linn_buf_status status = read_raw(b, n, little, &raw);       \
        if (LINN_LIKELY(status == LINN_BUF_OK)) *value = of(raw);    \
        return status;                                               \
    }                                                                \
    linn_buf_status linn_buf_write_##name(linn_buf b, type value) {  \
        return write_raw(b, n, little, raw_of(value));               \
    }
#define BOTH_ORDERS(name, type, n, raw_of, of) \
    NUMBER(name, type, n, false, raw_of, of)   \
    NUMBER(name##_le, type, n, true, raw_of, of)

NUMBER(bool, bool, 1, false, RAW_OF_INTEGER, BOOL_OF)
NUMBER(u8, uint8_t, 1, false, RAW_OF_INTEGER, U8_OF)
NUMBER(i8, int8_t, 1, false, RAW_OF_INTEGER, I8_OF)
BOTH_ORDERS(u16, uint16_t, 2, RAW_OF_INTEGER, U16_OF)
BOTH_ORDERS(i16, int16_t, 2, RAW_OF_INTEGER, I16_OF)
BOTH_ORDERS(u24, uint32_t, 3, RAW_OF_INTEGER, U32_OF)
BOTH_ORDERS(i24, int32_t, 3, RAW_OF_INTEGER, I24_OF)
BOTH_ORDERS(u32, uint32_t, 4, RAW_OF_INTEGER, U32_OF)
BOTH_ORDERS(i32, int32_t, 4, RAW_OF_INTEGER, I32_OF)
BOTH_ORDERS(u64, uint64_t, 8, RAW_OF_INTEGER, U64_OF)
BOTH_ORDERS(i64, int64_t, 8, RAW_OF_INTEGER, I64_OF)
BOTH_ORDERS(f32, float, 4, raw_of_f32, f32_of)
BOTH_ORDERS(f64, double, 8, raw_of_f64, f64_of)

/* ---- bytes ---- */

linn_buf_status linn_buf_get_bytes(linn_buf b, size_t index, void *out,
                                   size_t n) {
    linn_buf_status status;
    const struct linn_descriptor *d = to_get(b, index, n, &status);
    if (d == NULL) return status;
    if (linn_buf_copy_out(d, index, out, n)) return LINN_BUF_OK;
    return broken(b, index, n);
}

linn_buf_status linn_buf_set_bytes(linn_buf b, size_t index, const void *in,
                                   size_t n) {
    linn_buf_status status;
    struct linn_descriptor *d = to_set(b, index, n, &status);
    if (d == NULL) return status;
    if (linn_buf_copy_in(d, index, in, n)) return LINN_BUF_OK;
    return broken(b, index, n);
}

linn_buf_status linn_buf_read_bytes(linn_buf b, void *out, size_t n) {
    linn_buf_status status;
    struct linn_descriptor *d = to_read(b, n, &status);
    if (d == NULL) return status;
    if (!linn_buf_copy_out(d, d->reader, out, n)) {
        return broken(b, d->reader, n);
    }
    d->reader += n;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_write_bytes(linn_buf b, const void *in, size_t n) {
    linn_buf_status status;
    struct linn_descriptor *d = to_write(b, n, &status);
    if (d == NULL) return status;
    if (!linn_buf_copy_in(d, d->writer, in, n)) return broken(b, d->writer, n);
    d->writer += n;
    return LINN_BUF_OK;
}

/* ---- other buffers ---- */

linn_buf_status linn_buf_get_buf(linn_buf b, size_t index, linn_buf to,
                                 size_t to_index, size_t n) {
    linn_buf_status status;
    const struct linn_descriptor *d = to_get(b, index, n, &status);
    if (d == NULL) return status;
    struct linn_descriptor *t = to_set(to, to_index, n, &status);
    if (t == NULL) return status;
    if (linn_buf_copy_between(d, index, t, to_index, n)) return LINN_BUF_OK;
    return broken(b, index, n);
}

linn_buf_status linn_buf_set_buf(linn_buf b, size_t index, linn_buf from,
                                 size_t from_index, size_t n) {
    return linn_buf_get_buf(from, from_index, b, index, n);
}

linn_buf_status linn_buf_read_buf(linn_buf b, linn_buf to, size_t n) {
    linn_buf_status status;
    struct linn_descriptor *d = to_read(b, n, &status);
    if (d == NULL) return status;
    struct linn_descriptor *t = to_write(to, n, &status);
    if (t == NULL) return status;
    if (!linn_buf_copy_between(d, d->reader, t, t->writer, n)) {
        return broken(b, d->reader, n);
    }
    d->reader += n;
    t->writer += n;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_write_buf(linn_buf b, linn_buf from, size_t n) {
    return linn_buf_read_buf(from, b, n);
}

/* ---- scattered memory ---- */

/* False: more bytes than a size says. */
static bool total(const struct iovec *pieces, size_t count, size_t *bytes) {
    *bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].iov_len > LINN_BUF_MAX - *bytes) return false;
        *bytes += pieces[i].iov_len;
    }
    return true;
}

linn_buf_status linn_buf_read_iovec(linn_buf b, const struct iovec *out,
                                    size_t pieces) {
    size_t n;
    if (!total(out, pieces, &n)) {
        return linn_buf_fail(b, LINN_BUF_UNREADABLE, 0, LINN_BUF_MAX);
    }
    linn_buf_status status;
    struct linn_descriptor *d = to_read(b, n, &status);
    if (d == NULL) return status;
    size_t at = d->reader;
    for (size_t i = 0; i < pieces; i++) {
        if (!linn_buf_copy_out(d, at, out[i].iov_base, out[i].iov_len)) {
            return broken(b, at, out[i].iov_len);
        }
        at += out[i].iov_len;
    }
    d->reader = at;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_write_iovec(linn_buf b, const struct iovec *in,
                                     size_t pieces) {
    size_t n;
    if (!total(in, pieces, &n)) {
        return linn_buf_fail(b, LINN_BUF_FULL, 0, LINN_BUF_MAX);
    }
    linn_buf_status status;
    struct linn_descriptor *d = to_write(b, n, &status);
    if (d == NULL) return status;
    size_t at = d->writer;
    for (size_t i = 0; i < pieces; i++) {
        if (!linn_buf_copy_in(d, at, in[i].iov_base, in[i].iov_len)) {
            return broken(b, at, in[i].iov_len);
        }
        at += in[i].iov_len;
    }
    d->writer = at;
    return LINN_BUF_OK;
}

/* ---- zeros ---- */

static bool fill_zero(struct linn_descriptor *d, size_t at, size_t n) {
    while (n > 0) {
        size_t piece;
        unsigned char *p = linn_buf_piece(d, at, &piece);
        if (p == NULL) return false;
        if (piece > n) piece = n;
        memset(p, 0, piece);
        at += piece;
        n -= piece;
    }
    return true;
}

linn_buf_status linn_buf_set_zero(linn_buf b, size_t index, size_t n) {
    linn_buf_status status;
    struct linn_descriptor *d = to_set(b, index, n, &status);
    if (d == NULL) return status;
    return fill_zero(d, index, n) ? LINN_BUF_OK : broken(b, index, n);
}

linn_buf_status linn_buf_write_zero(linn_buf b, size_t n) {
    linn_buf_status status;
    struct linn_descriptor *d = to_write(b, n, &status);
    if (d == NULL) return status;
    if (!fill_zero(d, d->writer, n)) return broken(b, d->writer, n);
    d->writer += n;
    return LINN_BUF_OK;
}

/* ---- strings ---- */

static bool is_prefix(unsigned bytes) {
    return (bytes >= 1 && bytes <= 4) || bytes == 8;
}

linn_buf_status linn_buf_write_string(linn_buf b, unsigned prefix_bytes,
                                      const char *text, size_t length) {
    if (!is_prefix(prefix_bytes) ||
        (prefix_bytes < 8 && length >> (8 * prefix_bytes) != 0)) {
        return linn_buf_fail(b, LINN_BUF_ARGUMENT, prefix_bytes, length);
    }
    linn_buf_status status;
    if (length > LINN_BUF_MAX - prefix_bytes) {
        return linn_buf_fail(b, LINN_BUF_FULL, prefix_bytes, length);
    }
    struct linn_descriptor *d = to_write(b, prefix_bytes + length, &status);
    if (d == NULL) return status;
    if (!store(d, d->writer, prefix_bytes, false, length) ||
        !linn_buf_copy_in(d, d->writer + prefix_bytes, text, length)) {
        return broken(b, d->writer, prefix_bytes + length);
    }
    d->writer += prefix_bytes + length;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_read_string(linn_buf b, unsigned prefix_bytes,
                                     char *out, size_t out_size,
                                     size_t *length) {
    if (!is_prefix(prefix_bytes) || out == NULL || out_size == 0) {
        return linn_buf_fail(b, LINN_BUF_ARGUMENT, prefix_bytes, out_size);
    }
    linn_buf_status status;
    struct linn_descriptor *d = to_read(b, prefix_bytes, &status);
    if (d == NULL) return status;
    uint64_t n = 0;
    if (!load(d, d->reader, prefix_bytes, false, &n)) {
        return broken(b, d->reader, prefix_bytes);
    }
    if (n > d->writer - d->reader - prefix_bytes) {
        return linn_buf_fail(b, LINN_BUF_UNREADABLE, d->reader + prefix_bytes,
                             n);
    }
    if (n >= out_size) {
        return linn_buf_fail(b, LINN_BUF_ARGUMENT, d->reader + prefix_bytes, n);
    }
    if (!linn_buf_copy_out(d, d->reader + prefix_bytes, out, n)) {
        return broken(b, d->reader, prefix_bytes + n);
    }
    out[n] = '\0';
    d->reader += prefix_bytes + n;
    if (length != NULL) *length = n;
    return LINN_BUF_OK;
}

/* ---- addresses ---- */

linn_buf_status linn_buf_data(linn_buf b, size_t index, size_t n,
                              const void **out) {
    linn_buf_status status;
    const struct linn_descriptor *d = to_get(b, index, n, &status);
    if (d == NULL) return status;
    const unsigned char *p = linn_buf_straight(d, index, n);
    if (p == NULL && n > 0) {
        return linn_buf_fail(b, LINN_BUF_SCATTERED, index, n);
    }
    *out = p;
    return LINN_BUF_OK;
}

linn_buf_status linn_buf_data_writable(linn_buf b, size_t index, size_t n,
                                       void **out) {
    linn_buf_status status;
    struct linn_descriptor *d = to_set(b, index, n, &status);
    if (d == NULL) return status;
    unsigned char *p = linn_buf_straight(d, index, n);
    if (p == NULL && n > 0) {
        return linn_buf_fail(b, LINN_BUF_SCATTERED, index, n);
    }
    *out = p;
    return LINN_BUF_OK;
}

bool linn_buf_is_contiguous(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    if (d == NULL) return false;
    size_t room = linn_buf_room(d);
    return room == 0 || linn_buf_straight(d, 0, room) != NULL;
}

bool linn_buf_is_read_only(linn_buf b) {
    const struct linn_descriptor *d = linn_buf_look(b);
    return d != NULL && !linn_buf_may_write(d);
}

unsigned char *linn_buf_address_unchecked(linn_buf b, size_t index) {
    const struct linn_descriptor *d = linn_descriptor_at((uint32_t)b.id);
    return linn_buf_straight(d, index, 1);
}

linn_buf_status linn_buf_iovec(linn_buf b, size_t index, size_t n,
                               struct iovec *out, size_t max_pieces,
                               size_t *pieces) {
    linn_buf_status status;
    const struct linn_descriptor *d = to_get(b, index, n, &status);
    if (d == NULL) return status;
    size_t count = 0;
    while (n > 0 && count < max_pieces) {
        size_t piece;
        unsigned char *p = linn_buf_piece(d, index, &piece);
        if (p == NULL) return broken(b, index, n);
        if (piece > n) piece = n;
        out[count].iov_base = p;
        out[count].iov_len = piece;
        count++;
        index += piece;
        n -= piece;
    }
    *pieces = count;
    return LINN_BUF_OK;
}
