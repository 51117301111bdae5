#ifndef LINN_H_
#define LINN_H_

/* linn: a lock-free pooled buffer allocator.
 *
 *     char error[160];
 *     linn_pool *pool = linn_pool_create(NULL, error, sizeof error);
 *     if (pool == NULL) { puts(error); return 1; }
 *     char *block = linn_alloc(pool, 1024);
 *     if (block == NULL) return 1;   // out of memory is a value
 *     linn_free(block);              // any thread
 *     linn_pool_destroy(pool, NULL);
 *
 * A pool is Netty's PooledByteBufAllocator: arenas of chunks (16 MiB), chunks
 * cut into pages (8 KiB) by a buddy tree, pages cut into elements by bitmaps,
 * six usage bands that keep chunks full, and a cache of free blocks for each
 * thread and pool.  NULL names the default pool, which always exists.
 *
 * Progress.  linn_alloc, linn_alloc_aligned, linn_realloc, linn_free,
 * linn_usable_size and linn_good_size are lock-free: stop or kill any thread at
 * any instruction, and every other thread goes on.  (The operating system's
 * own locks, taken inside mmap or a page fault, are outside this promise.)
 *
 * Signals and fork.  The same functions are async-signal-safe: a handler may
 * call them at any instruction, also of themselves.  A child of fork() in a
 * threaded process may call them at once.  A handler that leaves by longjmp out
 * of one of these functions leaves its thread without a cache until the thread
 * ends: slower, and correct.
 *
 * Misuse.  Freeing a pointer that linn did not hand out, one inside a block, or
 * a block that is free already stops the program with a message that names the
 * pointer, its block and what was wrong; see linn_set_misuse_handler.
 *
 * This header includes nothing of linn's own and is C11 and C++17. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LINN_ATTRIBUTE(...) __attribute__((__VA_ARGS__))
#else
#define LINN_ATTRIBUTE(...)
#endif
/* gcc 11 and later know which function frees what a function allocates, and
 * warn about a mismatch at compile time. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define LINN_FREED_BY_LINN_FREE LINN_ATTRIBUTE(malloc(linn_free, 1))
#else
#define LINN_FREED_BY_LINN_FREE LINN_ATTRIBUTE(malloc)
#endif
#define LINN_PUBLIC LINN_ATTRIBUTE(visibility("default"))

/* An opaque handle, not an address: it carries a generation, so that a call
 * with a pool already destroyed is told from a call with its successor. */
typedef struct linn_pool linn_pool;

/* How a pool is made.  Set `size` to sizeof(struct linn_options) through
 * LINN_OPTIONS_INIT, change what you need, leave the rest at LINN_DEFAULT.
 * Each field has an environment variable, which changes the default of every
 * pool of the process (read once, at the first call).  Netty's name for the
 * setting is given in brackets. */
#define LINN_DEFAULT SIZE_MAX

enum linn_size_classes {
    LINN_CLASSES_FINE = 0,        /* 4 per doubling from 64 B: waste <= 20 % */
    LINN_CLASSES_POWER_OF_TWO = 1 /* Netty's before 4.1.52: 16 B steps to 496,
                                   * then powers of two */
};

struct linn_options {
    size_t size; /* of this struct */
    /* Number of permanent arenas, 0..64; 0 is unpooled: every request goes to
     * the operating system.  Each block, however small, then takes 1 MiB of
     * addresses (memory only where it is touched) and one of the 65,536 places
     * that the process has for chunks and such blocks; beyond them is out of
     * memory.  LINN_ARENAS, default min(64, 2 x cores).  [numDirectArenas] */
    size_t arenas;
    /* Bytes of a page, a power of two from 4096 to 65536.  LINN_PAGE_SIZE,
     * default 8192.  [pageSize] */
    size_t page_size;
    /* A chunk is page_size << chunk_order bytes; 0..11.  LINN_CHUNK_ORDER,
     * default 11 (16 MiB).  Netty's 12 to 14 are refused: the page tree of a
     * chunk holds 2048 pages.  [maxOrder] */
    size_t chunk_order;
    /* Blocks that a thread keeps of each class below a page, 0..4096;
     * LINN_SMALL_CACHE, default 256.  [smallCacheSize] */
    size_t small_cache;
    /* The same for classes of a page and more; LINN_NORMAL_CACHE, default 64.
     * [normalCacheSize] */
    size_t normal_cache;
    /* Largest block that thread caches keep, 0..524288 bytes;
     * LINN_CACHED_MAX, default 131072.  [maxCachedBufferCapacity] */
    size_t cached_max;
    /* Bytes that the cache of one thread and pool may hold; LINN_CACHE_BYTES,
     * default 524288, at most 1 GiB.  Netty has no such bound. */
    size_t cache_bytes;
    /* Operations of a thread between two sweeps of its cache, 1..2^32 - 1;
     * LINN_CACHE_SWEEP, default 8192.  [cacheTrimInterval] */
    size_t cache_sweep;
    /* false: no thread caches.  LINN_CACHE, default 1.
     * [useCacheForAllThreads] */
    size_t cache;
    /* Every block is aligned to this, a power of two from 16 to page_size;
     * LINN_ALIGNMENT, default 16.  Sizes are rounded up to multiples of it.
     * [directMemoryCacheAlignment] */
    size_t alignment;
    /* One of enum linn_size_classes; LINN_CLASSES=fine|power-of-two. */
    size_t size_classes;
};

#define LINN_OPTIONS_INIT         \
    {sizeof(struct linn_options), \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT,                \
     LINN_DEFAULT}

/* Makes a pool.  `options` may be NULL for the defaults.  NULL on failure, with
 * a message in error[0..error_size) (it may be NULL, 0) that names the field,
 * its value and the allowed range, or says that 255 pools exist or that the
 * operating system gave no memory; nothing is left behind then.
 * Lock-free; any thread; not for signal handlers. */
linn_pool *linn_pool_create(const struct linn_options *options, char *error,
                            size_t error_size)
    LINN_ATTRIBUTE(warn_unused_result) LINN_PUBLIC;

/* Ends a pool: takes back the cache that every thread has of it and returns its
 * memory.  False, and nothing is changed but the caches, when blocks are still
 * handed out; *live_blocks (may be NULL) gets their number.  (False with 0 when
 * another thread is giving back what a dead one had cached: call again.)  The
 * default pool
 * cannot be destroyed: false.  After true, each call with this handle stops the
 * program with the misuse message, for the life of the process.
 * Any thread; the caller sees to it that no other call with the pool runs. */
bool linn_pool_destroy(linn_pool *pool, size_t *live_blocks) LINN_PUBLIC;

/* Frees a block of any pool.  NULL does nothing. */
void linn_free(void *block) LINN_PUBLIC;

/* Allocates `size` bytes, aligned to 16 or to the pool's alignment; contents are
 * undefined.  Size 0 gives a block of its own that can be freed.  NULL when the
 * operating system gives no memory or size is beyond PTRDIFF_MAX; nothing is
 * lost then.  errno is left alone.
 * Cost: cached, no atomic instruction; see docs/performance.md. */
void *linn_alloc(linn_pool *pool, size_t size) LINN_FREED_BY_LINN_FREE
    LINN_ATTRIBUTE(alloc_size(2), warn_unused_result) LINN_PUBLIC;

/* The same with an alignment: a power of two up to the pool's chunk size (of an
 * unpooled pool, up to 1 MiB if that is more).  NULL when it is not a power of two,
 * 0, or larger. */
void *linn_alloc_aligned(linn_pool *pool, size_t alignment,
                         size_t size) LINN_FREED_BY_LINN_FREE
    LINN_ATTRIBUTE(alloc_size(3), alloc_align(2),
                   warn_unused_result) LINN_PUBLIC;

/* Changes the size of a block, in place where its slot has room (or would not
 * waste more than half), else by a move; contents up to the smaller size are
 * kept, a larger alignment (linn_alloc_aligned) is lost in a move.  block NULL is
 * linn_alloc(pool, size); size 0 is a block of its own, as in linn_alloc.  NULL on
 * failure, and the old block is as it was.  The new block comes from the pool of
 * the old one; `pool` counts only when block is NULL. */
void *linn_realloc(linn_pool *pool, void *block, size_t size)
    LINN_ATTRIBUTE(alloc_size(3), warn_unused_result) LINN_PUBLIC;

/* Bytes that may be used at `block`: the size of its class, at least what was
 * asked for.  0 for NULL. */
size_t linn_usable_size(const void *block) LINN_PUBLIC;

/* What linn_usable_size would say of a block of `size` bytes; 0 when size is
 * beyond what can be allocated.  Any thread; of shared memory it reads the pool's
 * word alone, and a handle that is dead is misuse. */
size_t linn_good_size(linn_pool *pool, size_t size) LINN_PUBLIC;

/* Returns what the calling thread's caches hold to the pools.  True when the
 * thread had a cache.  [trimCurrentThreadCache, freeThreadLocalCache] */
bool linn_thread_flush(void) LINN_PUBLIC;

/* Misuse: a call that would corrupt memory.  `what` says what was wrong in one
 * sentence, `block` is the start of the block that `pointer` lies in (NULL when
 * it is not linn's), `block_size` its size (0 likewise). */
struct linn_misuse {
    const char *function; /* "linn_free", ...; "linn_locked_free" in the twin */
    const void *pointer;
    const void *block;
    size_t block_size;
    const char *what;
    const char *message; /* the whole of it, as printed without a handler */
};

/* Called instead of printing and aborting.  When it returns, the call that was
 * misused does nothing further (it returns NULL, 0 or false), and the pool is as
 * it was before that call.  NULL restores the default.  Returns the handler there
 * was. */
typedef void (*linn_misuse_handler)(const struct linn_misuse *misuse);
linn_misuse_handler linn_set_misuse_handler(linn_misuse_handler handler)
    LINN_PUBLIC;

/* Figures of one pool, summed over threads when asked for: exact when no other
 * thread is inside a call, otherwise within the calls in progress.  Set `size`
 * to sizeof(struct linn_counters). */
struct linn_counters {
    size_t size;
    uint64_t allocations;   /* calls that returned a block */
    uint64_t frees;         /* calls that took one back */
    uint64_t live_blocks;   /* allocations - frees */
    uint64_t cached_blocks; /* in thread caches */
    uint64_t cached_bytes;  /* the same in bytes */
    uint64_t cache_hits;    /* allocations served by the caller's cache */
    uint64_t refills;       /* batches taken from subpages into a cache */
    uint64_t flushes;       /* batches given back */
    uint64_t drains;        /* caches emptied by another thread */
    uint64_t subpages;      /* runs cut into elements, live */
    uint64_t chunks;        /* held now */
    uint64_t chunks_born;   /* since the pool was made */
    uint64_t chunks_died;
    uint64_t huge_blocks; /* live blocks larger than a chunk */
    uint64_t huge_bytes;
    uint64_t held_bytes;    /* taken from the operating system for blocks */
    uint64_t thread_caches; /* bodies bound to a thread now */
    uint64_t arenas;
    uint64_t os_calls;      /* mmap, munmap, madvise, mprotect */
    uint64_t out_of_memory; /* calls that returned NULL for want of it */
};

/* False when the pool handle is dead or counters->size is unknown. */
bool linn_pool_counters(linn_pool *pool,
                        struct linn_counters *counters) LINN_PUBLIC;

/* The version of the library, "major.minor.patch". */
const char *linn_version(void) LINN_PUBLIC;

#ifdef __cplusplus
}
#endif

#endif /* LINN_H_ */
