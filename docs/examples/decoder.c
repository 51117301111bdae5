#include "docs/examples/decoder.h"

enum { PREFIX = 4, FIRST_CAPACITY = 256 };

bool decoder_init(struct decoder *d, uint32_t frame_max) {
    d->frame_max = frame_max;
    d->in = linn_buf_alloc(NULL, FIRST_CAPACITY);
    return !linn_buf_is_none(d->in);
}

void decoder_end(struct decoder *d) {
    (void)linn_buf_release(d->in);
}

/* A buffer that nobody but us refers to may be written from its beginning again;
 * else what was not read yet moves to a new one, and the old one is left to the
 * frames. */
static bool make_room(struct decoder *d) {
    if (linn_buf_is_sole_owner(d->in)) {
        return linn_buf_discard_some_read(d->in) == LINN_BUF_OK;
    }
    linn_buf fresh;
    linn_buf_status status = linn_buf_copy(d->in, linn_buf_reader(d->in),
                                           linn_buf_readable(d->in), &fresh);
    if (status != LINN_BUF_OK) return false;
    (void)linn_buf_release(d->in);
    d->in = fresh;
    return true;
}

bool decoder_feed(struct decoder *d, const void *bytes, size_t n) {
    return make_room(d) && linn_buf_write_bytes(d->in, bytes, n) == LINN_BUF_OK;
}

enum decoded decoder_next(struct decoder *d, linn_buf *frame) {
    uint32_t length;
    size_t reader = linn_buf_reader(d->in);
    if (!linn_buf_is_readable(d->in, PREFIX)) return DECODED_MORE;
    (void)linn_buf_get_u32(d->in, reader, &length);
    if (length > d->frame_max) return DECODED_WRONG;
    if (!linn_buf_is_readable(d->in, PREFIX + (size_t)length)) {
        return DECODED_MORE;
    }
    (void)linn_buf_skip(d->in, PREFIX);
    if (linn_buf_read_retained_slice(d->in, length, frame) != LINN_BUF_OK) {
        (void)linn_buf_set_reader(d->in, reader);
        return DECODED_NO_MEMORY;
    }
    return DECODED_FRAME;
}
