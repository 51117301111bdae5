#include "alloc/size_class.h"

#include <string.h>

#include "alloc/check.h"

/* Above this a class is a run of its own. */
#define SUBPAGE_BYTES_MAX (UINT32_C(128) << 10)
#define BATCH_BYTES       (UINT32_C(128) << 10)
#define BATCH_MAX         64
#define FINE_BYTES_MIN    64
#define STEP_BYTES        16
#define POWERS_FROM       512 /* steps of 16 B below */

/* How a class is laid out: `elements` in `run_pages`; 0: a run of its own. */
struct layout {
    uint32_t elements;
    uint32_t run_pages;
};

static uint32_t min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* The order of the smallest block that holds `pages`. */
static uint32_t order_of(uint32_t pages) {
    uint32_t order = 0;
    while ((UINT32_C(1) << order) < pages)
        order++;
    return order;
}

/* How many elements are worth a run: many enough that a batch seldom needs two
 * subpages, few enough that a class that is hardly used does not pin much. */
static uint32_t elements_wanted(uint32_t size) {
    static const struct {
        uint32_t size_max, elements;
    } wanted[] = {
        {128, 512},    {256, 256},     {512, 128},    {1024, 64},
        {4 << 10, 32}, {16 << 10, 16}, {64 << 10, 8}, {128 << 10, 4},
    };
    uint32_t i = 0;
    while (size > wanted[i].size_max)
        i++;
    return wanted[i].elements;
}

/* The bytes of a run that belong to no element are the tail. */
static uint32_t tail_bytes(const struct linn_geometry *g, uint32_t size,
                           struct layout l) {
    return (uint32_t)(l.run_pages * g->page_bytes) - l.elements * size;
}

static bool has_small_tail(const struct linn_geometry *g, uint32_t size,
                           struct layout l) {
    return UINT64_C(100) * tail_bytes(g, size, l) <=
           (uint64_t)l.run_pages * g->page_bytes;
}

/* Whether a request of smallest_request bytes, the worst of its class, wastes
 * at most a fifth of its share of the run.  Where the class alone wastes more
 * (powers of two, or an alignment that leaves few sizes) no run can help, and
 * only the tail counts. */
static bool wastes_little(const struct linn_geometry *g, uint32_t size,
                          uint32_t smallest_request, struct layout l) {
    if (UINT64_C(5) * smallest_request < UINT64_C(4) * size) {
        return has_small_tail(g, size, l);
    }
    return UINT64_C(5) * smallest_request * l.elements >=
           UINT64_C(4) * l.run_pages * g->page_bytes;
}

/* Whether a leaves a smaller part of its run unused than b. */
static bool wastes_less(const struct linn_geometry *g, uint32_t size,
                        struct layout a, struct layout b) {
    return (uint64_t)tail_bytes(g, size, a) * b.run_pages <
           (uint64_t)tail_bytes(g, size, b) * a.run_pages;
}

/* The smallest run that holds as many elements as wanted and wastes little.
 * Else the run that wastes little and holds the most; else the one that wastes
 * the least.  No elements: the chunk is too small for two. */
static struct layout layout_of(const struct linn_geometry *g, uint32_t size,
                               uint32_t smallest_request) {
    struct layout most = {0, 0}, tightest = {0, 0};
    if (size > SUBPAGE_BYTES_MAX) return most;
    uint32_t wanted = elements_wanted(size);
    uint32_t pages_max = min_u32(LINN_GROUP_PAGES, g->chunk_pages);
    for (uint32_t pages = 1; pages <= pages_max; pages++) {
        uint32_t fit = (uint32_t)(pages * g->page_bytes / size);
        struct layout l = {min_u32(LINN_ELEMENTS_MAX, fit), pages};
        if (l.elements < 2) continue;
        if (tightest.elements == 0 || wastes_less(g, size, l, tightest)) {
            tightest = l;
        }
        if (!wastes_little(g, size, smallest_request, l)) continue;
        if (l.elements >= wanted && has_small_tail(g, size, l)) return l;
        if (l.elements > most.elements) most = l;
    }
    return most.elements > 0 ? most : tightest;
}

/* The size that follows `size` in the set. */
static uint32_t next_fine(uint32_t size) {
    uint32_t log2 = 31u - (uint32_t)__builtin_clz(size);
    return size + (UINT32_C(1) << (log2 - 2));
}

static uint32_t next_power_of_two(uint32_t size) {
    return size < POWERS_FROM ? size + STEP_BYTES : size * 2;
}

/* Appends the class of `size`, unless rounding to pages made it equal to the
 * last one or the pool's alignment forbids it. */
static void add_class(struct linn_geometry *g, uint32_t size,
                      const struct linn_geometry_options *options) {
    const struct linn_size_class *last = &g->of[g->classes];
    uint32_t page = (uint32_t)g->page_bytes;
    struct layout l = layout_of(g, size, last->size + 1);
    if (l.elements == 0) {
        size = (size + page - 1) / page * page;
        l.run_pages = size / page;
    }
    if (size % g->alignment != 0 || size == last->size) return;

    uint32_t number = g->classes + 1;
    LINN_CHECK(number < LINN_CLASSES_MAX);
    uint32_t batch = BATCH_BYTES / size;
    batch = min_u32(batch == 0 ? 1 : batch, BATCH_MAX);
    if (l.elements != 0) batch = min_u32(batch, l.elements);
    size_t cache = size < page ? options->small_cache : options->normal_cache;
    if (cache > 2 * (size_t)batch) cache = 2 * (size_t)batch;
    if (size > options->cached_max) cache = 0;

    struct linn_size_class *c = &g->of[number];
    c->size = size;
    c->reciprocal = (uint32_t)((UINT64_C(1) << 32) / size + 1);
    c->elements = l.elements;
    c->run_pages = (uint16_t)l.run_pages;
    c->run_order = (uint8_t)order_of(l.run_pages);
    c->batch = (uint8_t)batch;
    c->cache_max = (uint32_t)cache;
    g->classes = number;
}

static void fill_table(struct linn_geometry *g) {
    uint32_t c = 1;
    g->table_bytes_max = g->class_bytes_max < LINN_COARSE_MAX
                             ? g->class_bytes_max
                             : LINN_COARSE_MAX;
    for (size_t n = 0; n <= LINN_FINE_MAX; n += 1 << LINN_FINE_SHIFT) {
        while (g->of[c].size < n)
            c++;
        g->table[linn_fine_index(n)] = (uint8_t)c;
    }
    size_t step = (size_t)1 << LINN_COARSE_SHIFT;
    for (size_t n = LINN_FINE_MAX + step; n <= g->table_bytes_max; n += step) {
        while (g->of[c].size < n)
            c++;
        g->table[linn_coarse_index(n)] = (uint8_t)c;
    }
}

uint32_t linn_class_beyond_table(const struct linn_geometry *g, size_t n) {
    /* Pages above 8 KiB have classes here, at most four to a doubling. */
    uint32_t c = g->table[LINN_TABLE_ENTRIES - 1];
    while (g->of[c].size < n)
        c++;
    return c;
}

void linn_geometry_init(struct linn_geometry *g,
                        const struct linn_geometry_options *options) {
    memset(g, 0, sizeof *g);
    g->page_bytes = options->page_bytes;
    g->page_shift = (uint32_t)__builtin_ctzll(options->page_bytes);
    g->chunk_order = (uint32_t)options->chunk_order;
    g->chunk_pages = UINT32_C(1) << g->chunk_order;
    g->chunk_bytes = g->page_bytes << g->chunk_order;
    g->alignment = (uint32_t)options->alignment;
    uint32_t pages_max = min_u32(LINN_GROUP_PAGES, g->chunk_pages);
    g->class_bytes_max = pages_max * g->page_bytes;

    /* 512 smaller elements would not fill a page. */
    uint32_t size = options->power_of_two ? STEP_BYTES : FINE_BYTES_MIN;
    uint32_t fills_a_page = (uint32_t)g->page_bytes / LINN_ELEMENTS_MAX;
    if (size < fills_a_page) size = fills_a_page;
    while (size <= g->class_bytes_max) {
        add_class(g, size, options);
        size =
            options->power_of_two ? next_power_of_two(size) : next_fine(size);
    }
    fill_table(g);
    LINN_INVARIANT(linn_geometry_is_valid(g));
}

/* A run begins where its block does, and a block of 2^order pages is aligned to
 * its own size; elements follow one another without gaps. */
static bool is_aligned_class(const struct linn_geometry *g, uint32_t number,
                             size_t alignment) {
    const struct linn_size_class *c = &g->of[number];
    size_t block_bytes = g->page_bytes << c->run_order;
    if (alignment > block_bytes) return false;
    return c->elements == 0 || c->size % alignment == 0;
}

uint32_t linn_class_of_aligned(const struct linn_geometry *g, size_t alignment,
                               size_t n) {
    if (n > g->class_bytes_max) return 0;
    for (uint32_t c = linn_class_of(g, n); c <= g->classes; c++) {
        if (is_aligned_class(g, c, alignment)) return c;
    }
    return 0;
}

/* S1 for one size, by the definition. */
static bool is_smallest_class(const struct linn_geometry *g, size_t n) {
    uint32_t c = linn_class_of(g, n);
    return c >= 1 && c <= g->classes && g->of[c].size >= n &&
           g->of[c - 1].size < n;
}

static bool is_valid_class(const struct linn_geometry *g, uint32_t number) {
    const struct linn_size_class *c = &g->of[number];
    bool ascending = c->size > g->of[number - 1].size;
    bool aligned = c->size % g->alignment == 0; /* S2 */
    uint32_t elements = c->elements == 0 ? 1 : c->elements;
    bool fits = elements <= LINN_ELEMENTS_MAX && /* S3 */
                (uint64_t)elements * c->size <= c->run_pages * g->page_bytes;
    uint32_t block_pages = UINT32_C(1) << c->run_order;
    bool inside = c->run_pages >= 1 && c->run_pages <= block_pages && /* S4 */
                  block_pages <= LINN_GROUP_PAGES &&
                  block_pages <= g->chunk_pages;
    uint32_t batch_max = c->elements == 0 ? BATCH_MAX : c->elements;
    bool batched = c->batch >= 1 && c->batch <= batch_max &&
                   c->batch <= BATCH_MAX && c->cache_max <= 2u * c->batch;
    return ascending && aligned && fits && inside && batched;
}

bool linn_geometry_is_valid(const struct linn_geometry *g) {
    if (g->classes < 1 || g->classes >= LINN_CLASSES_MAX) return false;
    if (g->of[g->classes].size != g->class_bytes_max) return false;
    for (uint32_t c = 1; c <= g->classes; c++) {
        if (!is_valid_class(g, c)) return false;
        /* S1: both ends of the class, and so everything between. */
        if (!is_smallest_class(g, g->of[c].size)) return false;
        if (!is_smallest_class(g, g->of[c - 1].size + 1)) return false;
    }
    return true;
}
