#define SYNC_LAYER LINN_COUNT_BUFFER
/* Between buffers and file descriptors. */

#include "alloc/buf.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Which system call moves the bytes. */
enum way { BY_STREAM, BY_SOCKET, BY_POSITION };

struct transfer {
    bool into_buffer;
    enum way way;
    int fd;
    int flags;
    int64_t position;
};

enum { PIECES = 64 };

static ssize_t move(const struct transfer *t, struct iovec *v, int count) {
    struct msghdr message = {0};
    switch (t->way) {
        case BY_STREAM:
            return t->into_buffer ? readv(t->fd, v, count)
                                  : writev(t->fd, v, count);
        case BY_SOCKET:
            message.msg_iov = v;
            message.msg_iovlen = (size_t)count;
            return t->into_buffer
                       ? recvmsg(t->fd, &message, t->flags)
                       : sendmsg(t->fd, &message, t->flags | MSG_NOSIGNAL);
        case BY_POSITION:
            break;
    }
    return t->into_buffer ? preadv(t->fd, v, count, t->position)
                          : pwritev(t->fd, v, count, t->position);
}

/* Moves up to n bytes at `at`, which are inside the room. */
static linn_buf_status run(const struct transfer *t, linn_buf b,
                           const struct linn_descriptor *d, size_t at, size_t n,
                           size_t *done) {
    struct iovec v[PIECES];
    int count = 0;
    size_t asked = 0;
    while (asked < n && count < PIECES) {
        size_t piece;
        unsigned char *p = linn_buf_piece(d, at + asked, &piece);
        if (p == NULL) return linn_buf_fail(b, LINN_BUF_INDEX, at, n);
        if (piece > n - asked) piece = n - asked;
        v[count].iov_base = p;
        v[count].iov_len = piece;
        asked += piece;
        count++;
    }
    if (asked == 0) return LINN_BUF_OK;
    ssize_t moved;
    do {
        moved = move(t, v, count);
    } while (moved < 0 && errno == EINTR);
    if (moved > 0) {
        *done = (size_t)moved;
        return LINN_BUF_OK;
    }
    if (moved == 0) return t->into_buffer ? LINN_BUF_END : LINN_BUF_OK;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return LINN_BUF_AGAIN;
    return linn_buf_fail(b, LINN_BUF_SYSTEM, at, n);
}

/* At the writer or at the reader. */
static linn_buf_status stream(const struct transfer *t, linn_buf b, size_t n,
                              size_t *done) {
    struct linn_descriptor *d = linn_buf_look(b);
    if (done == NULL) return linn_buf_fail(b, LINN_BUF_ARGUMENT, 0, n);
    *done = 0;
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, 0, n);
    if (!t->into_buffer) {
        if (n > d->writer - d->reader ||
            !linn_buf_fits(d->reader, n, linn_buf_room(d))) {
            return linn_buf_fail(b, LINN_BUF_UNREADABLE, d->reader, n);
        }
        linn_buf_status status = run(t, b, d, d->reader, n, done);
        d->reader += *done;
        return status;
    }
    if (!linn_buf_may_write(d)) {
        return linn_buf_fail(b, LINN_BUF_READ_ONLY, d->writer, n);
    }
    if (!linn_buf_has_room(d, n)) {
        linn_buf_status status = linn_buf_make_room(d, n);
        if (status != LINN_BUF_OK) {
            return linn_buf_fail(b, status, d->writer, n);
        }
    }
    linn_buf_status status = run(t, b, d, d->writer, n, done);
    d->writer += *done;
    return status;
}

static linn_buf_status at_index(const struct transfer *t, linn_buf b,
                                size_t index, size_t n, size_t *done) {
    const struct linn_descriptor *d = linn_buf_look(b);
    if (done == NULL) return linn_buf_fail(b, LINN_BUF_ARGUMENT, index, n);
    *done = 0;
    if (d == NULL) return linn_buf_fail(b, LINN_BUF_DEAD, index, n);
    if (!linn_buf_fits(index, n, linn_buf_room(d))) {
        return linn_buf_fail(b, LINN_BUF_INDEX, index, n);
    }
    if (t->into_buffer && !linn_buf_may_write(d)) {
        return linn_buf_fail(b, LINN_BUF_READ_ONLY, index, n);
    }
    return run(t, b, d, index, n, done);
}

linn_buf_status linn_buf_write_from_fd(linn_buf b, int fd, size_t n,
                                       size_t *done) {
    struct transfer t = {true, BY_STREAM, fd, 0, 0};
    return stream(&t, b, n, done);
}

linn_buf_status linn_buf_read_to_fd(linn_buf b, int fd, size_t n,
                                    size_t *done) {
    struct transfer t = {false, BY_STREAM, fd, 0, 0};
    return stream(&t, b, n, done);
}

linn_buf_status linn_buf_write_from_socket(linn_buf b, int fd, size_t n,
                                           int flags, size_t *done) {
    struct transfer t = {true, BY_SOCKET, fd, flags, 0};
    return stream(&t, b, n, done);
}

linn_buf_status linn_buf_read_to_socket(linn_buf b, int fd, size_t n, int flags,
                                        size_t *done) {
    struct transfer t = {false, BY_SOCKET, fd, flags, 0};
    return stream(&t, b, n, done);
}

linn_buf_status linn_buf_write_from_file(linn_buf b, int fd, int64_t position,
                                         size_t n, size_t *done) {
    struct transfer t = {true, BY_POSITION, fd, 0, position};
    return stream(&t, b, n, done);
}

linn_buf_status linn_buf_read_to_file(linn_buf b, int fd, int64_t position,
                                      size_t n, size_t *done) {
    struct transfer t = {false, BY_POSITION, fd, 0, position};
    return stream(&t, b, n, done);
}

linn_buf_status linn_buf_set_from_fd(linn_buf b, size_t index, int fd, size_t n,
                                     size_t *done) {
    struct transfer t = {true, BY_STREAM, fd, 0, 0};
    return at_index(&t, b, index, n, done);
}

linn_buf_status linn_buf_get_to_fd(linn_buf b, size_t index, int fd, size_t n,
                                   size_t *done) {
    struct transfer t = {false, BY_STREAM, fd, 0, 0};
    return at_index(&t, b, index, n, done);
}

linn_buf_status linn_buf_set_from_file(linn_buf b, size_t index, int fd,
                                       int64_t position, size_t n,
                                       size_t *done) {
    struct transfer t = {true, BY_POSITION, fd, 0, position};
    return at_index(&t, b, index, n, done);
}

linn_buf_status linn_buf_get_to_file(linn_buf b, size_t index, int fd,
                                     int64_t position, size_t n, size_t *done) {
    struct transfer t = {false, BY_POSITION, fd, 0, position};
    return at_index(&t, b, index, n, done);
}
