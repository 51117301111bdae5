#ifndef LINN_VERIFY_FUZZ_SEQUENCE_H_
#define LINN_VERIFY_FUZZ_SEQUENCE_H_

/* sequence: bytes as calls of linn.h, judged by a model after each.
 *
 * Calls: alloc, aligned, realloc, free, usable and good size, pools made with any
 * options (allowed or not) and destroyed, caches flushed, threads ended; each by
 * one of four threads, in turn.  And misuse: freed twice, inside a block, foreign,
 * the handle of a pool that is gone.  A misuse handler is installed, and what it is
 * told is compared with what the model says that it must be told.
 *
 * The model knows the blocks that are out, with canaries; which options are
 * allowed; and of a freed block only as long as linn can know it for certain: until
 * its pool hands out another size, or another pool anything (then its memory may be
 * of another class, and a free of it cannot be told from a right one).
 *
 * Sees: wrong addresses, sizes, alignments, contents, figures, reports.  Does not
 * see races: one thread works at a time. */

#include <stddef.h>
#include <stdint.h>

/* Aborts, with a sentence, where the library and the model differ. */
void linn_fuzz_sequence(const uint8_t *data, size_t bytes);

/* What the sequences so far were made of. */
struct linn_fuzz_figures {
    size_t calls, blocks, misuses, pools, refused_options;
};
extern struct linn_fuzz_figures linn_fuzz_figures;

#endif /* LINN_VERIFY_FUZZ_SEQUENCE_H_ */
