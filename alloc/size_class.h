#ifndef LINN_ALLOC_SIZE_CLASS_H_
#define LINN_ALLOC_SIZE_CLASS_H_

/* size_class: which slot a request gets, as tables that a pool computes once.
 *
 *     size  --table-->  class 1..classes  -->  element size, run, batch
 *
 *     64 80 96 112 | 128 160 192 224 | 256 ... | 448 KiB 512 KiB
 *
 * Four classes per doubling from 64 B to a group of 64 pages (512 KiB), so that
 * a request wastes at most 20 % of its slot: (slot - size) / slot <= 0.20 for
 * every size from 64 B on, the tail of the run included.  Classes up to 128 KiB
 * are cut from runs (subpages) of 2 to 512 elements; the run is chosen so that
 * elements x size fills it to the last 1/100 or better (with 8 KiB pages:
 * wholly).  Larger ones are runs of their own: k pages at the beginning of an
 * aligned block of 2^order pages.  Requests beyond the last class take whole
 * groups of pages or the huge path, and have no class.
 *
 * Not every pool can keep the 20 %:
 *   - sizes that are no multiple of the pool's alignment are left out;
 *   - 512 elements must fill a page, so with 64 KiB pages the smallest class is
 *     128 B;
 *   - a class above 128 KiB is rounded up to whole pages (64 KiB pages: 192
 *     instead of 160 KiB, a third), and so is one of which a chunk of fewer
 *     than 64 pages cannot hold two.
 *
 * The power-of-two set is Netty's before 4.1.52 (SizeClasses' predecessor in
 * PoolArena): 16 B steps to 496, 512 B to 4 KiB, then powers of two.
 *
 *     (S1)  class_of(n) is the smallest class whose size >= n
 *     (S2)  size is a multiple of the pool's alignment
 *     (S3)  elements * size <= run_pages * page_size, elements <= 512
 *     (S4)  run_pages <= 2^run_order <= 64
 *
 * Everything here is immutable once linn_geometry_init has returned.
 * Cost: class_of is one load, three more instructions above 4 KiB.
 * Checked: size_class_test, for each page size, chunk order and alignment. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Classes are numbered from 1; 0 means "no class" everywhere. */
#define LINN_CLASSES_MAX  64
#define LINN_ELEMENTS_MAX 512
#define LINN_GROUP_PAGES  64

/* The table of classes has an entry for each 16 bytes up to 4 KiB and for each
 * KiB from there to 512 KiB, where every class ends at a whole KiB. */
#define LINN_FINE_SHIFT    4
#define LINN_FINE_MAX      ((size_t)4096)
#define LINN_COARSE_SHIFT  10
#define LINN_COARSE_MAX    ((size_t)512 << 10)
#define LINN_COARSE_BEHIND (LINN_FINE_MAX >> LINN_FINE_SHIFT)
#define LINN_TABLE_ENTRIES                                         \
    (LINN_COARSE_BEHIND + (LINN_COARSE_MAX >> LINN_COARSE_SHIFT) - \
     (LINN_FINE_MAX >> LINN_COARSE_SHIFT) + 1)

struct linn_size_class {
    uint32_t size;       /* bytes of an element or of the run itself */
    uint32_t elements;   /* 0: the class is a run of its own */
    uint16_t run_pages;  /* pages taken */
    uint8_t run_order;   /* of the aligned block that they are taken from */
    uint8_t batch;       /* moved at once: min(64, 128 KiB / size, elements) */
    uint32_t cache_max;  /* a thread caches these, at most two batches; or 0 */
    uint32_t reciprocal; /* 2^32 / size + 1 */
};

struct linn_geometry {
    uint32_t page_shift;  /* 12..16 */
    uint32_t chunk_order; /* 0..11 */
    uint32_t chunk_pages; /* 1 << chunk_order */
    uint32_t classes;     /* the highest class number */
    uint32_t alignment;
    size_t page_bytes;
    size_t chunk_bytes;
    size_t class_bytes_max; /* size of the highest class */
    size_t table_bytes_max; /* class_bytes_max, as far as the table goes */
    uint8_t table[LINN_TABLE_ENTRIES]; /* of linn_fine_index or coarse_index */
    struct linn_size_class of[LINN_CLASSES_MAX]; /* of[0] is all zero */
};

/* offset / size, of an offset in the class's run that is a multiple of size; of any
 * other, a number whose multiple it is not. */
static inline uint32_t linn_class_divide(const struct linn_size_class *k,
                                         size_t offset) {
    return (uint32_t)(offset * k->reciprocal >> 32);
}

/* Words of a bitmap of the class's elements. */
static inline uint32_t linn_class_words(const struct linn_size_class *k) {
    return (k->elements + 63) / 64;
}

/* Where the table has the class of n <= LINN_FINE_MAX. */
static inline size_t linn_fine_index(size_t n) {
    return (n + ((1 << LINN_FINE_SHIFT) - 1)) >> LINN_FINE_SHIFT;
}

/* And of a larger n <= LINN_COARSE_MAX.  The part before it is added to n, so that
 * rounding up and skipping that part are one addition. */
static inline size_t linn_coarse_index(size_t n) {
    size_t skip = LINN_COARSE_BEHIND - (LINN_FINE_MAX >> LINN_COARSE_SHIFT);
    return (n + (skip << LINN_COARSE_SHIFT) + ((1 << LINN_COARSE_SHIFT) - 1)) >>
           LINN_COARSE_SHIFT;
}

/* The class of n, table_bytes_max < n <= class_bytes_max. */
uint32_t linn_class_beyond_table(const struct linn_geometry *g, size_t n);

/* The class of n bytes, n <= class_bytes_max. */
static inline uint32_t linn_class_of(const struct linn_geometry *g, size_t n) {
    if (__builtin_expect(n <= LINN_FINE_MAX, 1)) {
        return g->table[linn_fine_index(n)];
    }
    if (n > g->table_bytes_max) return linn_class_beyond_table(g, n);
    return g->table[linn_coarse_index(n)];
}

/* The smallest class of at least n bytes whose elements all begin at multiples
 * of `alignment` (a power of two), or 0 when there is none.  It relies on this:
 * a run begins where its block of 2^run_order pages does, and a block is
 * aligned to its own size. */
uint32_t linn_class_of_aligned(const struct linn_geometry *g, size_t alignment,
                               size_t n);

struct linn_geometry_options {
    size_t page_bytes;  /* 4096..65536, a power of two */
    size_t chunk_order; /* 0..11 */
    size_t alignment;   /* 16..page_bytes, a power of two */
    bool power_of_two;  /* Netty's old set */
    size_t small_cache, normal_cache, cached_max; /* see linn.h */
};

/* Computes the tables.  The options are valid (alloc/options.h checks them).
 * With chunks of fewer than 64 pages the classes end at the largest run that a
 * chunk holds. */
void linn_geometry_init(struct linn_geometry *g,
                        const struct linn_geometry_options *options);

/* Whether S1 to S4 hold, for tests and the paranoid build. */
bool linn_geometry_is_valid(const struct linn_geometry *g);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_SIZE_CLASS_H_ */
