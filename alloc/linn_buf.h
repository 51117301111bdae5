#ifndef LINN_BUF_H_
#define LINN_BUF_H_

/* linn_buf: buffers with a reference count, a reader and a writer; Netty's ByteBuf
 * for C.
 *
 *     linn_buf b = linn_buf_alloc(NULL, 1024);      NULL: the default pool
 *     linn_buf_write_u16(b, 25);                    most significant byte first
 *     linn_buf_write_bytes(b, "Hello, Netty Memory Pool!", 25);
 *     ...
 *     linn_buf_read_u16(b, &length);
 *     linn_buf_release(b);
 *
 *     0      <=      reader      <=      writer      <=      capacity  <=  maximum
 *     | discardable  |     readable      |     writable      |   growth    |
 *
 * Handles.  A linn_buf is a value, not an address: it names a buffer and the life
 * that the buffer is in.  A handle of a buffer that was released is told from every
 * living one for ever (until one descriptor has had 2^32 - 1 lives; it is then
 * retired), also when its memory belongs to somebody else by now.  Zero is no
 * buffer's handle.
 *
 * Errors are values.  A call with a dead handle, or with an index, length or
 * capacity that does not fit, returns what was wrong, and touches neither the
 * buffer nor its arguments.  linn_buf_last_error has the numbers.  Misuse of raw
 * memory (a wrapped block that is freed twice, say) stops the program, as in
 * linn.h.
 *
 * Get and set name an index from 0 to the capacity, and move nothing.  Read and
 * write work at the reader and at the writer, and move them; a write grows the
 * buffer when it must.
 *
 * Threads.  Each function is of one of two kinds, named in brackets:
 *   [any]  any thread, at any moment, also a signal handler; lock-free
 *   [one]  a thread that holds a reference, one at a time for a buffer and its views
 *          (so a buffer may be handed from thread to thread, with whatever order
 *          hands it over); different buffers have nothing to do with one another
 *
 * This header includes linn.h and nothing else of linn's, and is C11 and C++17. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "alloc/linn.h"

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;

typedef struct {
    uint64_t id; /* 0: no buffer */
} linn_buf;

/* No buffer. */
static inline linn_buf linn_buf_none(void) {
    linn_buf none = {0};
    return none;
}
static inline bool linn_buf_is_none(linn_buf b) {
    return b.id == 0;
}

typedef enum {
    LINN_BUF_OK = 0,
    LINN_BUF_DEAD,  /* no living buffer has this handle */
    LINN_BUF_INDEX, /* index + length is beyond the capacity, or indices are
                           * not reader <= writer <= capacity */
    LINN_BUF_UNREADABLE, /* fewer than length bytes are readable */
    LINN_BUF_FULL,       /* length more bytes do not fit below the maximum */
    LINN_BUF_CAPACITY,   /* a capacity beyond the maximum */
    LINN_BUF_FIXED,      /* the capacity of this kind cannot change */
    LINN_BUF_READ_ONLY,  /* a write to a read-only view */
    LINN_BUF_ARGUMENT, /* a NULL, a count of 0, a buffer that has no such thing */
    LINN_BUF_REFERENCES,  /* the count would pass 2^31 - 1, or fall below 0 */
    LINN_BUF_UNPUBLISHED, /* try_retain of a buffer that is not published */
    LINN_BUF_SHARED,      /* not the sole owner */
    LINN_BUF_NO_MEMORY,   /* the system gives none; nothing has changed */
    LINN_BUF_SCATTERED,   /* the bytes do not lie in one piece */
    LINN_BUF_NOT_FOUND,   /* a search; not recorded as an error */
    LINN_BUF_END,   /* the file has ended, or the peer has closed; likewise */
    LINN_BUF_AGAIN, /* nothing can be moved now (EAGAIN); likewise */
    LINN_BUF_SYSTEM /* the system refused; errno says why */
} linn_buf_status;

/* What was wrong with the last call of this thread that returned one of the errors
 * above.  Like errno, it stays until the next one, and a signal handler's calls
 * change it. */
struct linn_buf_error {
    linn_buf_status status;
    linn_buf buf;
    size_t index, length; /* what was asked for */
    size_t reader, writer, capacity,
        max_capacity; /* of the buffer; 0 if dead */
};

/* [any] Fills *out. */
void linn_buf_last_error(struct linn_buf_error *out) LINN_PUBLIC;

/* [any] Says it in one sentence, as in "index 13, length 4: beyond the capacity
 * (reader 0, writer 10, capacity 16, maximum 64)".  At most `size` bytes with the
 * final 0; returns the length of the whole sentence. */
size_t linn_buf_error_text(const struct linn_buf_error *error, char *out,
                           size_t size) LINN_PUBLIC;

/* [any] "index", "dead", ... */
const char *linn_buf_status_name(linn_buf_status status) LINN_PUBLIC;

/* ---- allocation and references ---- */

/* The largest maximum. */
#define LINN_BUF_MAX ((size_t)PTRDIFF_MAX)

/* [any] A buffer of `capacity` bytes of `pool` (NULL: the default), one reference,
 * both indices 0, contents undefined.  It grows as far as memory goes.  No buffer
 * (linn_buf_none) when there is no memory or capacity is beyond LINN_BUF_MAX.
 * Capacity 0 takes no memory until it is written to. */
linn_buf linn_buf_alloc(linn_pool *pool, size_t capacity) LINN_PUBLIC;

/* [any] The same with a maximum: CAPACITY if it is below the capacity. */
linn_buf_status linn_buf_alloc_max(linn_pool *pool, size_t capacity,
                                   size_t max_capacity,
                                   linn_buf *out) LINN_PUBLIC;

/* [any, by a holder] One reference more, or n.  REFERENCES beyond 2^31 - 1, and the
 * count stays.  A dead buffer stays dead. */
linn_buf_status linn_buf_retain(linn_buf b) LINN_PUBLIC;
linn_buf_status linn_buf_retain_n(linn_buf b, uint32_t n) LINN_PUBLIC;

/* [any, by the holder] One reference less, or n; the last one ends the buffer's
 * life and gives its memory back.  *freed (may be NULL) says whether it did.  The
 * second release of a reference returns DEAD or, while others hold the buffer, takes
 * theirs: no count can tell.  (Two last releases of one reference at the same moment
 * are stopped by linn_free.) */
linn_buf_status linn_buf_release(linn_buf b) LINN_PUBLIC;
linn_buf_status linn_buf_release_n(linn_buf b, uint32_t n,
                                   bool *freed) LINN_PUBLIC;

/* [any] References to the buffer; 0 when it is dead. */
uint32_t linn_buf_references(linn_buf b) LINN_PUBLIC;
static inline bool linn_buf_is_live(linn_buf b) {
    return linn_buf_references(b) != 0;
}

/* [any, by a holder] Whether the caller's reference is the only one.  Never of a
 * published buffer, which may be found at any moment. */
bool linn_buf_is_sole_owner(linn_buf b) LINN_PUBLIC;

/* [one, by the sole owner] From now on the handle may be put where other threads
 * find it.  SHARED when there are other references; ARGUMENT for a view that shares
 * its parent's count (publish the parent, or a retained view). */
linn_buf_status linn_buf_publish(linn_buf b) LINN_PUBLIC;

/* [any] One reference more, for a thread that holds none: of a published buffer.
 * DEAD when its life is over, UNPUBLISHED when it is not published. */
linn_buf_status linn_buf_try_retain(linn_buf b) LINN_PUBLIC;

/* [any, by a holder] The pool that the buffer is of: where its growth and its
 * copies come from. */
linn_pool *linn_buf_pool(linn_buf b) LINN_PUBLIC;

/* ---- capacity ---- */

/* [one] 0 of a dead handle, here and below. */
size_t linn_buf_capacity(linn_buf b) LINN_PUBLIC;
size_t linn_buf_max_capacity(linn_buf b) LINN_PUBLIC;

/* [one] Makes the capacity `capacity`: within the memory that the buffer has if it
 * can, else by a move.  Indices beyond it are moved to it; marks stay.  CAPACITY
 * beyond the maximum, FIXED for a slice or wrapped memory, NO_MEMORY: then nothing
 * has changed. */
linn_buf_status linn_buf_set_capacity(linn_buf b, size_t capacity) LINN_PUBLIC;

typedef enum {
    LINN_BUF_ENOUGH = 0,  /* there was room */
    LINN_BUF_NOT_ENOUGH,  /* there is none, and nothing has changed */
    LINN_BUF_GROWN,       /* now there is */
    LINN_BUF_GROWN_TO_MAX /* there is none, but as much as there can be */
} linn_buf_ensured;

/* [one] Makes room for n bytes behind the writer.  With `force`, a buffer whose
 * maximum is too small grows to it all the same.  NOT_ENOUGH also when the handle is
 * dead or there is no memory: linn_buf_last_error says which.
 * Growth: first what the block has (linn_buf_max_fast_writable), then the next power
 * of two from 64, and beyond 4 MiB the next multiple of 4 MiB. */
linn_buf_ensured linn_buf_ensure_writable(linn_buf b, size_t n,
                                          bool force) LINN_PUBLIC;

/* [one] Bytes that can be written without a move. */
size_t linn_buf_max_fast_writable(linn_buf b) LINN_PUBLIC;

/* [any] The capacity to which a buffer grows that needs `needed` bytes and may have
 * `max_capacity`; `needed` if that is more. */
size_t linn_buf_grown_capacity(size_t needed, size_t max_capacity) LINN_PUBLIC;

/* ---- indices ---- */

/* [one] */
size_t linn_buf_reader(linn_buf b) LINN_PUBLIC;
size_t linn_buf_writer(linn_buf b) LINN_PUBLIC;
size_t linn_buf_readable(linn_buf b) LINN_PUBLIC;     /* writer - reader */
size_t linn_buf_writable(linn_buf b) LINN_PUBLIC;     /* capacity - writer */
size_t linn_buf_max_writable(linn_buf b) LINN_PUBLIC; /* maximum - writer */
static inline bool linn_buf_is_readable(linn_buf b, size_t n) {
    return n <= linn_buf_readable(b) && linn_buf_is_live(b);
}
static inline bool linn_buf_is_writable(linn_buf b, size_t n) {
    return n <= linn_buf_writable(b) && linn_buf_is_live(b);
}

/* [one] INDEX unless reader <= writer <= capacity afterwards. */
linn_buf_status linn_buf_set_reader(linn_buf b, size_t reader) LINN_PUBLIC;
linn_buf_status linn_buf_set_writer(linn_buf b, size_t writer) LINN_PUBLIC;
linn_buf_status linn_buf_set_indices(linn_buf b, size_t reader,
                                     size_t writer) LINN_PUBLIC;

/* [one] Both indices 0; the bytes stay. */
linn_buf_status linn_buf_clear(linn_buf b) LINN_PUBLIC;

/* [one] Reads n bytes and forgets them. */
linn_buf_status linn_buf_skip(linn_buf b, size_t n) LINN_PUBLIC;

/* [one] Remembers an index, and goes back to it; a new buffer has marks at 0.  INDEX
 * if by then it does not fit. */
linn_buf_status linn_buf_mark_reader(linn_buf b) LINN_PUBLIC;
linn_buf_status linn_buf_reset_reader(linn_buf b) LINN_PUBLIC;
linn_buf_status linn_buf_mark_writer(linn_buf b) LINN_PUBLIC;
linn_buf_status linn_buf_reset_writer(linn_buf b) LINN_PUBLIC;

/* [one] Moves the readable bytes to the front; marks go along.  The second form does
 * so only when half of the capacity or more would be won. */
linn_buf_status linn_buf_discard_read(linn_buf b) LINN_PUBLIC;
linn_buf_status linn_buf_discard_some_read(linn_buf b) LINN_PUBLIC;

/* ---- numbers ----
 *
 * [one] For each name below
 *     linn_buf_get_NAME(b, index, &value)     linn_buf_set_NAME(b, index, value)
 *     linn_buf_read_NAME(b, &value)           linn_buf_write_NAME(b, value)
 * most significant byte first; with _le, least significant first.  u24 and i24 take
 * three bytes (what is above them in the value is not written; i24 is extended by
 * its sign).  Any index will do: nothing need be aligned. */
#define LINN_BUF_NUMBER(name, type)                                            \
    linn_buf_status linn_buf_get_##name(linn_buf b, size_t index, type *value) \
        LINN_PUBLIC;                                                           \
    linn_buf_status linn_buf_set_##name(linn_buf b, size_t index, type value)  \
        LINN_PUBLIC;                                                           \
    linn_buf_status linn_buf_read_##name(linn_buf b, type *value) LINN_PUBLIC; \
    linn_buf_status linn_buf_write_##name(linn_buf b, type value) LINN_PUBLIC;

LINN_BUF_NUMBER(bool, bool)
LINN_BUF_NUMBER(u8, uint8_t)
LINN_BUF_NUMBER(i8, int8_t)
LINN_BUF_NUMBER(u16, uint16_t)
LINN_BUF_NUMBER(u16_le, uint16_t)
LINN_BUF_NUMBER(i16, int16_t)
LINN_BUF_NUMBER(i16_le, int16_t)
LINN_BUF_NUMBER(u24, uint32_t)
LINN_BUF_NUMBER(u24_le, uint32_t)
LINN_BUF_NUMBER(i24, int32_t)
LINN_BUF_NUMBER(i24_le, int32_t)
LINN_BUF_NUMBER(u32, uint32_t)
LINN_BUF_NUMBER(u32_le, uint32_t)
LINN_BUF_NUMBER(i32, int32_t)
LINN_BUF_NUMBER(i32_le, int32_t)
LINN_BUF_NUMBER(u64, uint64_t)
LINN_BUF_NUMBER(u64_le, uint64_t)
LINN_BUF_NUMBER(i64, int64_t)
LINN_BUF_NUMBER(i64_le, int64_t)
LINN_BUF_NUMBER(f32, float)
LINN_BUF_NUMBER(f32_le, float)
LINN_BUF_NUMBER(f64, double)
LINN_BUF_NUMBER(f64_le, double)
#undef LINN_BUF_NUMBER

/* ---- bytes ---- */

/* [one] To and from memory. */
linn_buf_status linn_buf_get_bytes(linn_buf b, size_t index, void *out,
                                   size_t n) LINN_PUBLIC;
linn_buf_status linn_buf_set_bytes(linn_buf b, size_t index, const void *in,
                                   size_t n) LINN_PUBLIC;
linn_buf_status linn_buf_read_bytes(linn_buf b, void *out,
                                    size_t n) LINN_PUBLIC;
linn_buf_status linn_buf_write_bytes(linn_buf b, const void *in,
                                     size_t n) LINN_PUBLIC;

/* [one, both] To and from another buffer: get and set move no index; read moves
 * b's reader and to's writer, write moves b's writer and from's reader.  The two may
 * be one buffer, or views of one. */
linn_buf_status linn_buf_get_buf(linn_buf b, size_t index, linn_buf to,
                                 size_t to_index, size_t n) LINN_PUBLIC;
linn_buf_status linn_buf_set_buf(linn_buf b, size_t index, linn_buf from,
                                 size_t from_index, size_t n) LINN_PUBLIC;
linn_buf_status linn_buf_read_buf(linn_buf b, linn_buf to,
                                  size_t n) LINN_PUBLIC;
linn_buf_status linn_buf_write_buf(linn_buf b, linn_buf from,
                                   size_t n) LINN_PUBLIC;

/* [one] To and from scattered memory: all the pieces, or an error. */
linn_buf_status linn_buf_read_iovec(linn_buf b, const struct iovec *out,
                                    size_t pieces) LINN_PUBLIC;
linn_buf_status linn_buf_write_iovec(linn_buf b, const struct iovec *in,
                                     size_t pieces) LINN_PUBLIC;

/* [one] Zeros. */
linn_buf_status linn_buf_set_zero(linn_buf b, size_t index,
                                  size_t n) LINN_PUBLIC;
linn_buf_status linn_buf_write_zero(linn_buf b, size_t n) LINN_PUBLIC;

/* [one] A string behind its length, which takes prefix_bytes (1, 2, 3, 4 or 8), most
 * significant first.  write: a length that the prefix cannot say is ARGUMENT.  read
 * puts at most out_size - 1 bytes and a 0 into out; *length (may be NULL) gets the
 * string's length.  A string that has not come whole is UNREADABLE, one that does
 * not fit `out` is ARGUMENT; nothing is read then. */
linn_buf_status linn_buf_write_string(linn_buf b, unsigned prefix_bytes,
                                      const char *text,
                                      size_t length) LINN_PUBLIC;
linn_buf_status linn_buf_read_string(linn_buf b, unsigned prefix_bytes,
                                     char *out, size_t out_size,
                                     size_t *length) LINN_PUBLIC;

/* ---- files and sockets ----
 *
 * [one] One system call, repeated only when a signal came before anything was moved.
 * *done gets the bytes that were moved, which may be fewer than n; it is 0 unless the
 * result is OK.  END at the end of a file, or when the peer has closed; AGAIN when a
 * descriptor that does not block has nothing to give or take; else SYSTEM.  n = 0 is
 * OK and no call.  write_from_* reads from fd behind the writer (growing the buffer
 * by n if it must), read_to_* writes what is readable; set_ and get_ move no index.
 *   fd      readv, writev
 *   socket  recvmsg, sendmsg, with flags (sendmsg always with MSG_NOSIGNAL)
 *   file    preadv, pwritev at a position */
linn_buf_status linn_buf_write_from_fd(linn_buf b, int fd, size_t n,
                                       size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_read_to_fd(linn_buf b, int fd, size_t n,
                                    size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_write_from_socket(linn_buf b, int fd, size_t n,
                                           int flags, size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_read_to_socket(linn_buf b, int fd, size_t n, int flags,
                                        size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_write_from_file(linn_buf b, int fd, int64_t position,
                                         size_t n, size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_read_to_file(linn_buf b, int fd, int64_t position,
                                      size_t n, size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_set_from_fd(linn_buf b, size_t index, int fd, size_t n,
                                     size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_get_to_fd(linn_buf b, size_t index, int fd, size_t n,
                                   size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_set_from_file(linn_buf b, size_t index, int fd,
                                       int64_t position, size_t n,
                                       size_t *done) LINN_PUBLIC;
linn_buf_status linn_buf_get_to_file(linn_buf b, size_t index, int fd,
                                     int64_t position, size_t n,
                                     size_t *done) LINN_PUBLIC;

/* ---- addresses ---- */

/* [one] Where the bytes [index, index + n) lie: SCATTERED if not in one piece.  The
 * address is good until the buffer's capacity changes, or its life ends. */
linn_buf_status linn_buf_data(linn_buf b, size_t index, size_t n,
                              const void **out) LINN_PUBLIC;
linn_buf_status linn_buf_data_writable(linn_buf b, size_t index, size_t n,
                                       void **out) LINN_PUBLIC;
bool linn_buf_is_contiguous(linn_buf b) LINN_PUBLIC;
bool linn_buf_is_read_only(linn_buf b) LINN_PUBLIC;

/* [one] The pieces of [index, index + n), for writev: at most max_pieces of them, and
 * *pieces how many.  Fewer than all of them when out is too small. */
linn_buf_status linn_buf_iovec(linn_buf b, size_t index, size_t n,
                               struct iovec *out, size_t max_pieces,
                               size_t *pieces) LINN_PUBLIC;

/* ---- search and comparison ---- */

/* [one] In [index, index + n): the first place of a byte, of any of `count` bytes, of
 * a sequence of `count` bytes; NOT_FOUND.  An empty sequence is found at once. */
linn_buf_status linn_buf_find_byte(linn_buf b, size_t index, size_t n,
                                   uint8_t byte, size_t *found) LINN_PUBLIC;
linn_buf_status linn_buf_find_last_byte(linn_buf b, size_t index, size_t n,
                                        uint8_t byte,
                                        size_t *found) LINN_PUBLIC;
linn_buf_status linn_buf_find_any(linn_buf b, size_t index, size_t n,
                                  const void *bytes, size_t count,
                                  size_t *found) LINN_PUBLIC;
linn_buf_status linn_buf_find(linn_buf b, size_t index, size_t n,
                              const void *bytes, size_t count,
                              size_t *found) LINN_PUBLIC;

/* [one] How many readable bytes come before the first `byte`; NOT_FOUND. */
linn_buf_status linn_buf_bytes_before(linn_buf b, uint8_t byte,
                                      size_t *count) LINN_PUBLIC;

/* [one] Calls visit for each byte of [index, index + n), upward or downward, until it
 * returns false; *stopped (may be NULL) is where that was, and the result OK; else
 * NOT_FOUND.  visit may not change the buffer. */
typedef bool (*linn_buf_visitor)(uint8_t byte, void *context);
linn_buf_status linn_buf_for_each(linn_buf b, size_t index, size_t n,
                                  linn_buf_visitor visit, void *context,
                                  size_t *stopped) LINN_PUBLIC;
linn_buf_status linn_buf_for_each_down(linn_buf b, size_t index, size_t n,
                                       linn_buf_visitor visit, void *context,
                                       size_t *stopped) LINN_PUBLIC;

/* [one, both] The readable bytes as unsigned numbers, the shorter first: *order is
 * below, 0 or above. */
linn_buf_status linn_buf_compare(linn_buf a, linn_buf b,
                                 int *order) LINN_PUBLIC;
/* [one, both] Whether the readable bytes are the same; false if one is dead. */
bool linn_buf_equal(linn_buf a, linn_buf b) LINN_PUBLIC;
/* [one] Of the readable bytes: equal buffers have equal hashes, however they are
 * made; the same in every process. */
linn_buf_status linn_buf_hash(linn_buf b, uint64_t *hash) LINN_PUBLIC;

/* [one] [index, index + n) in hexadecimal digits.  At most `size` bytes with the final
 * 0; returns the length of all of it, 0 on an error.  The pretty form has a line for
 * 16 bytes: offset, digits, and what is printable. */
size_t linn_buf_hex(linn_buf b, size_t index, size_t n, char *out,
                    size_t size) LINN_PUBLIC;
size_t linn_buf_hex_pretty(linn_buf b, size_t index, size_t n, char *out,
                           size_t size) LINN_PUBLIC;

/* ---- views ----
 *
 * A view is a buffer with indices of its own over bytes of another.  It follows that
 * one when its bytes move, and ends where they end when it shrinks.
 *
 *   plain      shares the count of its parent: to retain or release one is to retain
 *              or release the other, and the views die with it.  So a slice costs no
 *              release; but a long life that is sliced again and again collects them
 *              (a descriptor of 128 bytes each) until it ends: take retained views
 *              there.
 *   retained   has a count of its own, and holds one reference of its parent until it
 *              dies.
 *
 * A slice has [0, n) readable and cannot grow.  A duplicate has the indices and, of a
 * buffer that is no slice, the capacity of its parent, and changes that with it.  A
 * read-only view is a duplicate that refuses writes, and so do all views of it.
 *
 * [one] All return INDEX (read_slice: UNREADABLE) for bytes that there are not, and
 * NO_MEMORY or REFERENCES; then nothing is held. */
linn_buf_status linn_buf_slice(linn_buf b, size_t index, size_t n,
                               linn_buf *out) LINN_PUBLIC;
linn_buf_status linn_buf_retained_slice(linn_buf b, size_t index, size_t n,
                                        linn_buf *out) LINN_PUBLIC;
linn_buf_status linn_buf_duplicate(linn_buf b, linn_buf *out) LINN_PUBLIC;
linn_buf_status linn_buf_retained_duplicate(linn_buf b,
                                            linn_buf *out) LINN_PUBLIC;
linn_buf_status linn_buf_read_only(linn_buf b, linn_buf *out) LINN_PUBLIC;
linn_buf_status linn_buf_retained_read_only(linn_buf b,
                                            linn_buf *out) LINN_PUBLIC;

/* [one] A slice of the next n readable bytes, which are read. */
linn_buf_status linn_buf_read_slice(linn_buf b, size_t n,
                                    linn_buf *out) LINN_PUBLIC;
linn_buf_status linn_buf_read_retained_slice(linn_buf b, size_t n,
                                             linn_buf *out) LINN_PUBLIC;

/* [one] The buffer whose reference the view holds or shares; ARGUMENT if b is no
 * view.  No reference is added. */
linn_buf_status linn_buf_unwrap(linn_buf b, linn_buf *out) LINN_PUBLIC;

/* [one] A new buffer of the same pool with the bytes [index, index + n), readable. */
linn_buf_status linn_buf_copy(linn_buf b, size_t index, size_t n,
                              linn_buf *out) LINN_PUBLIC;

/* [any] A buffer over memory of the caller's, all of it readable, that cannot grow.
 * When its life ends, release (may be NULL) gets the memory back, in the thread that
 * ended it. */
typedef void (*linn_buf_releaser)(void *memory, size_t n, void *context);
linn_buf_status linn_buf_wrap(void *memory, size_t n, linn_buf_releaser release,
                              void *context, linn_buf *out) LINN_PUBLIC;

/* ---- composites ----
 *
 * A buffer whose bytes are those of its components, one behind the other; nothing is
 * copied.  A component is the bytes that were readable in a buffer when it was added.
 *
 * add and insert take over a reference of the part, also when they fail.  With
 * `advance` the writer moves by its bytes (when the writer is at the end, the bytes
 * are readable then).  CAPACITY beyond LINN_BUF_MAX in all; INDEX for a component
 * that there is not; ARGUMENT when `b` is no composite, or the part is b itself.  A
 * composite may not come to contain itself by way of others.
 *
 * More than max_components become one, by copying (if there is memory).  Growing
 * adds a component; shrinking drops those behind the new capacity, and releases
 * them; discarding drops those before the reader without copying. */
linn_buf_status linn_buf_composite(linn_pool *pool, size_t max_components,
                                   linn_buf *out) LINN_PUBLIC; /* [any] */

/* [one], here and below. */
linn_buf_status linn_buf_composite_add(linn_buf b, bool advance,
                                       linn_buf part) LINN_PUBLIC;
linn_buf_status linn_buf_composite_insert(linn_buf b, bool advance,
                                          size_t component,
                                          linn_buf part) LINN_PUBLIC;

/* The same as add, but a composite's components are added, and not it. */
linn_buf_status linn_buf_composite_add_flattened(linn_buf b, bool advance,
                                                 linn_buf part) LINN_PUBLIC;

/* Drops and releases n components; the bytes behind them move down, and indices
 * beyond the new capacity are moved to it. */
linn_buf_status linn_buf_composite_remove(linn_buf b, size_t component,
                                          size_t n) LINN_PUBLIC;

/* Makes one component of all. */
linn_buf_status linn_buf_composite_consolidate(linn_buf b) LINN_PUBLIC;

/* How many there are; 0 if b is no composite. */
size_t linn_buf_composite_components(linn_buf b) LINN_PUBLIC;

/* The buffer of a component (no reference is added), and where its bytes begin in
 * the composite (may be NULL). */
linn_buf_status linn_buf_composite_component(linn_buf b, size_t component,
                                             linn_buf *out,
                                             size_t *begin) LINN_PUBLIC;

/* The component that has a byte. */
linn_buf_status linn_buf_composite_find(linn_buf b, size_t index,
                                        size_t *component) LINN_PUBLIC;

/* ---- without checks, for inner loops ----
 *
 * [one] The caller has seen that the handle lives, that the bytes are inside the
 * capacity and lie in one piece (linn_buf_is_contiguous); nothing is checked and no
 * index moves.  In a loop, take the address once. */
unsigned char *linn_buf_address_unchecked(linn_buf b, size_t index) LINN_PUBLIC;

#define LINN_BUF_LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define LINN_BUF_UNCHECKED(name, type, bits, swap)                      \
    static inline type linn_buf_get_##name##_unchecked(linn_buf b,      \
                                                       size_t index) {  \
        uint##bits##_t raw;                                             \
        type value;                                                     \
        memcpy(&raw, linn_buf_address_unchecked(b, index), sizeof raw); \
        raw = (uint##bits##_t)(swap(raw));                              \
        memcpy(&value, &raw, sizeof value);                             \
        return value;                                                   \
    }                                                                   \
    static inline void linn_buf_set_##name##_unchecked(                 \
        linn_buf b, size_t index, type value) {                         \
        uint##bits##_t raw;                                             \
        memcpy(&raw, &value, sizeof raw);                               \
        raw = (uint##bits##_t)(swap(raw));                              \
        memcpy(linn_buf_address_unchecked(b, index), &raw, sizeof raw); \
    }
#define LINN_BUF_SAME(raw)   (raw)
#define LINN_BUF_SWAP16(raw) (LINN_BUF_LITTLE ? __builtin_bswap16(raw) : (raw))
#define LINN_BUF_SWAP32(raw) (LINN_BUF_LITTLE ? __builtin_bswap32(raw) : (raw))
#define LINN_BUF_SWAP64(raw) (LINN_BUF_LITTLE ? __builtin_bswap64(raw) : (raw))
#define LINN_BUF_KEEP16(raw) (LINN_BUF_LITTLE ? (raw) : __builtin_bswap16(raw))
#define LINN_BUF_KEEP32(raw) (LINN_BUF_LITTLE ? (raw) : __builtin_bswap32(raw))
#define LINN_BUF_KEEP64(raw) (LINN_BUF_LITTLE ? (raw) : __builtin_bswap64(raw))
LINN_BUF_UNCHECKED(u8, uint8_t, 8, LINN_BUF_SAME)
LINN_BUF_UNCHECKED(i8, int8_t, 8, LINN_BUF_SAME)
LINN_BUF_UNCHECKED(u16, uint16_t, 16, LINN_BUF_SWAP16)
LINN_BUF_UNCHECKED(u16_le, uint16_t, 16, LINN_BUF_KEEP16)
LINN_BUF_UNCHECKED(i16, int16_t, 16, LINN_BUF_SWAP16)
LINN_BUF_UNCHECKED(i16_le, int16_t, 16, LINN_BUF_KEEP16)
LINN_BUF_UNCHECKED(u32, uint32_t, 32, LINN_BUF_SWAP32)
LINN_BUF_UNCHECKED(u32_le, uint32_t, 32, LINN_BUF_KEEP32)
LINN_BUF_UNCHECKED(i32, int32_t, 32, LINN_BUF_SWAP32)
LINN_BUF_UNCHECKED(i32_le, int32_t, 32, LINN_BUF_KEEP32)
LINN_BUF_UNCHECKED(u64, uint64_t, 64, LINN_BUF_SWAP64)
LINN_BUF_UNCHECKED(u64_le, uint64_t, 64, LINN_BUF_KEEP64)
LINN_BUF_UNCHECKED(i64, int64_t, 64, LINN_BUF_SWAP64)
LINN_BUF_UNCHECKED(i64_le, int64_t, 64, LINN_BUF_KEEP64)
LINN_BUF_UNCHECKED(f32, float, 32, LINN_BUF_SWAP32)
LINN_BUF_UNCHECKED(f32_le, float, 32, LINN_BUF_KEEP32)
LINN_BUF_UNCHECKED(f64, double, 64, LINN_BUF_SWAP64)
LINN_BUF_UNCHECKED(f64_le, double, 64, LINN_BUF_KEEP64)
#undef LINN_BUF_UNCHECKED
#undef LINN_BUF_SAME
#undef LINN_BUF_SWAP16
#undef LINN_BUF_SWAP32
#undef LINN_BUF_SWAP64
#undef LINN_BUF_KEEP16
#undef LINN_BUF_KEEP32
#undef LINN_BUF_KEEP64
#undef LINN_BUF_LITTLE

#ifdef __cplusplus
}
#endif

#endif /* LINN_BUF_H_ */
