#ifndef LINN_SYNC_ATOMIC_H_
#define LINN_SYNC_ATOMIC_H_

/* atomic: the only file that spells the compiler's atomic builtins.
 *
 * A shared word is a struct with one member, so that it cannot be read or
 * written by accident; its operations carry the memory order in their name:
 *
 *     sync_u64_cas_acquire_relaxed(&word, &seen, next)
 *              |   |       +-- order of the load when the CAS fails
 *              |   +---------- order when it succeeds
 *              +-------------- operation: load store cas exchange fetch_add
 *                              fetch_or fetch_and
 *
 * The same header serves C11 and C++17 (an _Atomic member does not compile in
 * C++), gcc and clang, ThreadSanitizer and model checkers.  Every call site has
 * a label, and the header of the word it touches has the card of that label;
 * verify/cards/check_atomics.py keeps the two in step.
 *
 * Every operation first passes SYNC_POINT, where a build may look on:
 *   LINN_CHAOS    yields at random, so that rare interleavings become common;
 *   LINN_COUNT    counts read-modify-writes, failed compare-and-swaps and
 *                 changes of line ownership, by layer (sync/count.h);
 *   LINN_CHECKER  hands control to a checker's scheduler.
 * With none of them SYNC_POINT is nothing at all.  The two files that look on,
 * chaos.c and count.c, use these words too: each defines LINN_CHAOS and
 * LINN_COUNT as 0 for itself before it includes this header.
 *
 * No sequentially consistent operation exists here on purpose: the one protocol
 * that needs store-load order takes it from sync/asym.h.  No stand-alone fence
 * either: ThreadSanitizer does not model them, and an order on the access says
 * which access it is for.
 *
 * x86 facts that choose between operations: a fetch_or or fetch_and whose
 * result is used compiles to a CAS loop (8.7 ns instead of 4.9), so callers
 * that need the old value write their own loop; a 16-byte CAS costs 9.2 ns and
 * needs -march=x86-64-v2 (or -mcx16). */

#include <stdbool.h>
#include <stdint.h>

#ifndef LINN_CHAOS
#define LINN_CHAOS 0
#endif
#ifndef LINN_COUNT
#define LINN_COUNT 0
#endif
#ifndef LINN_CHECKER
#define LINN_CHECKER 0
#endif

#if LINN_COUNT
#include "sync/count.h"
#endif

/* Whether ThreadSanitizer looks on (gcc defines a macro, clang a feature). */
#if defined(__SANITIZE_THREAD__)
#define LINN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LINN_TSAN 1
#endif
#endif
#ifndef LINN_TSAN
#define LINN_TSAN 0
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What an access does to the word, for those that look on. */
enum sync_kind { SYNC_LOAD, SYNC_STORE, SYNC_RMW, SYNC_RMW_FAILED };

#if LINN_CHAOS
void linn_chaos_point(void);
#define SYNC_CHAOS() linn_chaos_point()
#else
#define SYNC_CHAOS() ((void)0)
#endif

/* A source file that wants its accesses counted under its own layer defines
 * SYNC_LAYER (one of enum linn_count_layer) before it includes anything. */
#if LINN_COUNT
#ifndef SYNC_LAYER
#define SYNC_LAYER LINN_COUNT_OTHER
#endif
void linn_count_access(int layer, enum sync_kind kind, const void *address);
#define SYNC_COUNT(kind, address) linn_count_access(SYNC_LAYER, kind, address)
#else
#define SYNC_COUNT(kind, address) ((void)0)
#endif

#if LINN_CHECKER
void linn_checker_point(enum sync_kind kind, const void *address);
#define SYNC_CHECKER(kind, address) linn_checker_point(kind, address)
#else
#define SYNC_CHECKER(kind, address) ((void)0)
#endif

#define SYNC_POINT(kind, address)    \
    do {                             \
        SYNC_CHAOS();                \
        SYNC_COUNT(kind, address);   \
        SYNC_CHECKER(kind, address); \
    } while (0)

#define SYNC_DEFINE_LOAD(type, value_t, name, order)                        \
    static inline value_t sync_##type##_load_##name(const sync_##type *w) { \
        SYNC_POINT(SYNC_LOAD, w);                                           \
        return __atomic_load_n(&w->value, order);                           \
    }

#define SYNC_DEFINE_STORE(type, value_t, name, order)                          \
    static inline void sync_##type##_store_##name(sync_##type *w, value_t v) { \
        SYNC_POINT(SYNC_STORE, w);                                             \
        __atomic_store_n(&w->value, v, order);                                 \
    }

/* Strong: a failure means that the word was different, so a caller may draw
 * conclusions from it.  `seen` receives what was there. */
#define SYNC_DEFINE_CAS(type, value_t, name, success, failure)                 \
    static inline bool sync_##type##_cas_##name(sync_##type *w, value_t *seen, \
                                                value_t next) {                \
        SYNC_POINT(SYNC_RMW, w);                                               \
        bool done = __atomic_compare_exchange_n(&w->value, seen, next, false,  \
                                                success, failure);             \
        if (!done) SYNC_COUNT(SYNC_RMW_FAILED, w);                             \
        return done;                                                           \
    }

#define SYNC_DEFINE_RMW(type, value_t, op, name, order)               \
    static inline value_t sync_##type##_##op##_##name(sync_##type *w, \
                                                      value_t v) {    \
        SYNC_POINT(SYNC_RMW, w);                                      \
        return SYNC_BUILTIN_##op(&w->value, v, order);                \
    }
#define SYNC_BUILTIN_exchange  __atomic_exchange_n
#define SYNC_BUILTIN_fetch_add __atomic_fetch_add
#define SYNC_BUILTIN_fetch_or  __atomic_fetch_or
#define SYNC_BUILTIN_fetch_and __atomic_fetch_and

#define SYNC_DEFINE_BASE(type, value_t)                                 \
    typedef struct {                                                    \
        value_t value;                                                  \
    } sync_##type;                                                      \
    SYNC_DEFINE_LOAD(type, value_t, relaxed, __ATOMIC_RELAXED)          \
    SYNC_DEFINE_LOAD(type, value_t, acquire, __ATOMIC_ACQUIRE)          \
    SYNC_DEFINE_STORE(type, value_t, relaxed, __ATOMIC_RELAXED)         \
    SYNC_DEFINE_STORE(type, value_t, release, __ATOMIC_RELEASE)         \
    SYNC_DEFINE_CAS(type, value_t, relaxed_relaxed, __ATOMIC_RELAXED,   \
                    __ATOMIC_RELAXED)                                   \
    SYNC_DEFINE_CAS(type, value_t, acquire_relaxed, __ATOMIC_ACQUIRE,   \
                    __ATOMIC_RELAXED)                                   \
    SYNC_DEFINE_CAS(type, value_t, acquire_acquire, __ATOMIC_ACQUIRE,   \
                    __ATOMIC_ACQUIRE)                                   \
    SYNC_DEFINE_CAS(type, value_t, release_relaxed, __ATOMIC_RELEASE,   \
                    __ATOMIC_RELAXED)                                   \
    SYNC_DEFINE_CAS(type, value_t, acq_rel_relaxed, __ATOMIC_ACQ_REL,   \
                    __ATOMIC_RELAXED)                                   \
    SYNC_DEFINE_CAS(type, value_t, acq_rel_acquire, __ATOMIC_ACQ_REL,   \
                    __ATOMIC_ACQUIRE)                                   \
    SYNC_DEFINE_RMW(type, value_t, exchange, acquire, __ATOMIC_ACQUIRE) \
    SYNC_DEFINE_RMW(type, value_t, exchange, acq_rel, __ATOMIC_ACQ_REL)

#define SYNC_DEFINE_ARITHMETIC(type, value_t)                            \
    SYNC_DEFINE_RMW(type, value_t, fetch_add, relaxed, __ATOMIC_RELAXED) \
    SYNC_DEFINE_RMW(type, value_t, fetch_add, acq_rel, __ATOMIC_ACQ_REL) \
    SYNC_DEFINE_RMW(type, value_t, fetch_or, relaxed, __ATOMIC_RELAXED)  \
    SYNC_DEFINE_RMW(type, value_t, fetch_or, release, __ATOMIC_RELEASE)  \
    SYNC_DEFINE_RMW(type, value_t, fetch_or, acq_rel, __ATOMIC_ACQ_REL)  \
    SYNC_DEFINE_RMW(type, value_t, fetch_and, acq_rel, __ATOMIC_ACQ_REL)

SYNC_DEFINE_BASE(u16, uint16_t)
SYNC_DEFINE_BASE(u32, uint32_t)
SYNC_DEFINE_BASE(u64, uint64_t)
SYNC_DEFINE_BASE(ptr, void *)
SYNC_DEFINE_ARITHMETIC(u32, uint32_t)
SYNC_DEFINE_ARITHMETIC(u64, uint64_t)

/* A pair of words that a single CAS moves: a pointer and its 64-bit tag.  Its
 * loads are two loads, so they may be torn; only the CAS decides. */
typedef struct {
    uint64_t low, high;
} sync_pair_value;

typedef struct {
    /* Aligned: cmpxchg16b faults otherwise. */
    sync_u64 low __attribute__((aligned(16)));
    sync_u64 high;
} sync_pair;

static inline sync_pair_value sync_pair_load_relaxed(const sync_pair *w) {
    SYNC_POINT(SYNC_LOAD, w);
    sync_pair_value v;
    v.low = __atomic_load_n(&w->low.value, __ATOMIC_RELAXED);
    v.high = __atomic_load_n(&w->high.value, __ATOMIC_RELAXED);
    return v;
}

/* The tag (high) last: what is read after it is read after both. */
static inline sync_pair_value sync_pair_load_acquire(const sync_pair *w) {
    SYNC_POINT(SYNC_LOAD, w);
    sync_pair_value v;
    v.low = __atomic_load_n(&w->low.value, __ATOMIC_ACQUIRE);
    v.high = __atomic_load_n(&w->high.value, __ATOMIC_ACQUIRE);
    return v;
}

static inline void sync_pair_store_relaxed(sync_pair *w, sync_pair_value v) {
    SYNC_POINT(SYNC_STORE, w);
    __atomic_store_n(&w->low.value, v.low, __ATOMIC_RELAXED);
    __atomic_store_n(&w->high.value, v.high, __ATOMIC_RELAXED);
}

/* The __sync form is a full barrier and the only one that gcc and clang inline
 * (C11's 16-byte operations become calls into libatomic); the name says what
 * its users may rely on. */
static inline bool sync_pair_cas_acq_rel_acquire(sync_pair *w,
                                                 sync_pair_value *seen,
                                                 sync_pair_value next) {
    SYNC_POINT(SYNC_RMW, w);
    __extension__ typedef unsigned __int128 sync_u128;
    sync_u128 before = (sync_u128)seen->high << 64 | seen->low;
    sync_u128 after = (sync_u128)next.high << 64 | next.low;
    sync_u128 was =
        __sync_val_compare_and_swap((sync_u128 *)(void *)w, before, after);
    seen->low = (uint64_t)was;
    seen->high = (uint64_t)(was >> 64);
    bool done = was == before;
    if (!done) SYNC_COUNT(SYNC_RMW_FAILED, w);
    return done;
}

/* Instructions with an operand in memory, which compilers make of plain accesses
 * and not of relaxed ones: they need not be locked here, and each saves one or two
 * instructions of the fast path. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !LINN_CHAOS && \
    !LINN_COUNT && !LINN_CHECKER
#define SYNC_HAS_MEMORY_OPERANDS 1
#else
#define SYNC_HAS_MEMORY_OPERANDS 0
#endif
#if SYNC_HAS_MEMORY_OPERANDS && defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#undef SYNC_HAS_MEMORY_OPERANDS
#define SYNC_HAS_MEMORY_OPERANDS 0
#endif
#endif

/* A relaxed load, compared; volatile, so that it stays where it stands. */
static inline bool sync_u64_load_relaxed_is(const sync_u64 *w, uint64_t v) {
#if SYNC_HAS_MEMORY_OPERANDS
    bool same;
    __asm__ volatile("cmpq %2, %1" : "=@ccz"(same) : "m"(w->value), "r"(v));
    return same;
#else
    return sync_u64_load_relaxed(w) == v;
#endif
}

/* A counter with one writer and any number of readers: takes one off; true when
 * that leaves 0.  By the one writer. */
static inline bool sync_owned_decrement(sync_u64 *w) {
#if SYNC_HAS_MEMORY_OPERANDS
    bool zero;
    __asm__("decq %0" : "+m"(w->value), "=@ccz"(zero));
    return zero;
#else
    uint64_t left = sync_u64_load_relaxed(w) - 1;
    sync_u64_store_relaxed(w, left);
    return left == 0;
#endif
}

/* Adds n, which may be negative, likewise. */
static inline void sync_owned_add(sync_u64 *w, int n) {
#if SYNC_HAS_MEMORY_OPERANDS
    __asm__("addq %1, %0" : "+m"(w->value) : "e"((int64_t)n) : "cc");
#else
    sync_u64_store_relaxed(w, sync_u64_load_relaxed(w) + (uint64_t)(int64_t)n);
#endif
}

/* Hides from the optimizer where a value comes from, for the few places of the fast
 * path where it would rather combine than address; no instruction. */
#define sync_opaque(variable) __asm__("" : "+r"(variable))

/* Keeps the compiler from moving memory accesses across it; no instruction.
 * Orders a thread with its own signal handlers and, with the heavy side of
 * sync/asym.h, with other threads. */
static inline void sync_compiler_barrier(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Orders every access before it against every access after it.  For sync/asym.h
 * alone.  ThreadSanitizer does not model fences (gcc refuses to compile one), so
 * there it is a locked exchange, which is the same on this machine. */
static inline void sync_full_fence(void) {
#if LINN_TSAN
    uint32_t word = 0;
    (void)__atomic_exchange_n(&word, 1, __ATOMIC_SEQ_CST);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_ATOMIC_H_ */
