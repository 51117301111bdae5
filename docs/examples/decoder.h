#ifndef LINN_DOCS_EXAMPLES_DECODER_H_
#define LINN_DOCS_EXAMPLES_DECODER_H_

/* decoder: a stream of frames, each a length of four bytes (most significant first)
 * and as many bytes; Netty's LengthFieldBasedFrameDecoder.
 *
 * Bytes come in any portions.  A frame that has come whole is handed out as a
 * retained slice: nothing is copied, and who gets it may keep it as long as he likes,
 * and release it in any thread.  While a frame is kept, its bytes must stay where
 * they are, so the buffer they came in is left to it and a new one begun. */

#include "alloc/linn_buf.h"

struct decoder {
    linn_buf in;
    uint32_t frame_max;
};

enum decoded {
    DECODED_FRAME,
    DECODED_MORE,  /* the next frame has not come whole */
    DECODED_WRONG, /* a frame longer than frame_max: the stream is lost */
    DECODED_NO_MEMORY
};

/* False when there is no memory. */
bool decoder_init(struct decoder *d, uint32_t frame_max);
void decoder_end(struct decoder *d);

/* False when there is no memory; then nothing has come. */
bool decoder_feed(struct decoder *d, const void *bytes, size_t n);

/* The next frame, whose one reference is the caller's. */
enum decoded decoder_next(struct decoder *d, linn_buf *frame);

#endif /* LINN_DOCS_EXAMPLES_DECODER_H_ */
