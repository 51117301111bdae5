#ifndef LINN_SYNC_COUNT_H_
#define LINN_SYNC_COUNT_H_

/* count: what each layer does to shared words (--config=count).
 *
 * A build with LINN_COUNT calls linn_count_access before every access of a word
 * of sync/atomic.h; the layer is the SYNC_LAYER of the source file that makes
 * it, so an inline function counts for the file that uses it.
 *
 * Line moves.  A table remembers for each cache line which thread wrote it last;
 * a write by another thread is a move.  The table has a fixed number of places
 * and a line has one of them; a line that finds its place taken by another line
 * takes it over and counts no move, so collisions make the figure too small and
 * never too large.  (Not atomic with the access counted: under contention a move
 * may be counted once too often or too seldom.)
 *
 * Not for timing: every counter is a shared word itself. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum linn_count_layer {
    LINN_COUNT_OTHER = 0,
    LINN_COUNT_THREAD_CACHE,
    LINN_COUNT_SUBPAGE,
    LINN_COUNT_PAGE_TREE,
    LINN_COUNT_CHUNK,
    LINN_COUNT_ARENA,
    LINN_COUNT_PAGE_MAP,
    LINN_COUNT_HUGE,
    LINN_COUNT_BUFFER,
    LINN_COUNT_POOL,
    LINN_COUNT_REGISTRY,
    LINN_COUNT_LAYERS /* how many there are */
};

/* A value. */
struct linn_count {
    uint64_t loads;
    uint64_t stores;
    uint64_t rmws;       /* read-modify-writes tried: locked instructions */
    uint64_t failed;     /* of these, compare-and-swaps that failed */
    uint64_t line_moves; /* writes to a line that another thread wrote last */
};

/* "thread_cache", ... */
const char *linn_count_layer_name(enum linn_count_layer layer);

/* What the layer did since the start or the last reset.  Exact only while no
 * other thread works. */
void linn_count_read(enum linn_count_layer layer, struct linn_count *out);

/* Begins again.  Only while no other thread works. */
void linn_count_reset(void);

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_COUNT_H_ */
