/* What compiled code calls (-fsanitize=thread), and the functions of libc that the
 * build redirects to here (redirect.syms).
 *
 * The names and types are those of the compiler's run-time interface, and the
 * builtins are needed for accesses outside of an exploration: so this file, and no
 * other of the checker, has reserved names and spells __atomic. */

#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "verify/explore/fiber.h"
#include "verify/explore/machine.h"
#include "verify/explore/memory.h"
#include "verify/explore/report.h"
#include "verify/explore/runtime.h"
#include "verify/explore/schedule.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define SITE ((uintptr_t)__builtin_return_address(0))

/* ---- statistics ---- */

enum { STATISTICS_MAX = 16 };
static struct {
    uintptr_t first;
    size_t bytes;
} statistics[STATISTICS_MAX];
static int statistics_count;

void runtime_statistic(const void *first, size_t bytes) {
    for (int i = 0; i < statistics_count; i++) {
        if (statistics[i].first == (uintptr_t)first) return;
    }
    if (statistics_count == STATISTICS_MAX) report_limit("many statistics");
    statistics[statistics_count].first = (uintptr_t)first;
    statistics[statistics_count++].bytes = bytes;
}

static bool is_statistic(uintptr_t address) {
    for (int i = 0; i < statistics_count; i++) {
        if (address - statistics[i].first < statistics[i].bytes) return true;
    }
    return false;
}

/* ---- accesses ---- */

/* Whether an access is one of a thread that is explored; else it is made as it is,
 * and only noted for undoing. */
static bool is_explored(const volatile void *p, size_t bytes, bool writes) {
    if (!schedule_running() || fiber_is_private((uintptr_t)p)) return false;
    if (schedule_thread() != 0) return true;
    memory_access((uintptr_t)p, bytes, writes ? PLAIN_WRITE : PLAIN_READ, 0);
    return false;
}

static bool is_thread(void) {
    return schedule_running() && schedule_thread() != 0;
}

static void plain(const void *p, size_t bytes, enum memory_kind kind,
                  uintptr_t site) {
    if (!schedule_running() || bytes == 0) return;
    memory_access((uintptr_t)p, bytes, kind, site);
}

void __tsan_init(void) {}
void __tsan_func_entry(void *from) {
    schedule_enter((uintptr_t)from);
}
void __tsan_func_exit(void) {
    schedule_leave();
}
void __tsan_vptr_update(void **p, void *v) {
    (void)v;
    plain(p, sizeof *p, PLAIN_WRITE, SITE);
}

#define PLAIN(n)                              \
    void __tsan_read##n(void *p) {            \
        plain(p, n, PLAIN_READ, SITE);        \
    }                                         \
    void __tsan_write##n(void *p) {           \
        plain(p, n, PLAIN_WRITE, SITE);       \
    }                                         \
    void __tsan_unaligned_read##n(void *p) {  \
        plain(p, n, PLAIN_READ, SITE);        \
    }                                         \
    void __tsan_unaligned_write##n(void *p) { \
        plain(p, n, PLAIN_WRITE, SITE);       \
    }                                         \
    void __tsan_volatile_read##n(void *p) {   \
        plain(p, n, PLAIN_READ, SITE);        \
    }                                         \
    void __tsan_volatile_write##n(void *p) {  \
        plain(p, n, PLAIN_WRITE, SITE);       \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, size_t bytes) {
    plain(p, bytes, PLAIN_READ, SITE);
}
void __tsan_write_range(void *p, size_t bytes) {
    plain(p, bytes, PLAIN_WRITE, SITE);
}

static void change(const volatile void *p, unsigned bytes, int order,
                   enum schedule_change how, uint64_t operand,
                   uint64_t before[2], uintptr_t site) {
    uint64_t o[2] = {operand, 0};
    schedule_from(site);
    schedule_change((uintptr_t)p, bytes, (uint8_t)order, how, o, before);
}

#define CHANGE(n, name, builtin, how)                                        \
    uint##n##_t __tsan_atomic##n##_##name(volatile uint##n##_t *p,           \
                                          uint##n##_t v, int order) {        \
        if (how == XCHG && order == __ATOMIC_SEQ_CST &&                      \
            fiber_is_private((uintptr_t)p) && is_thread()) {                 \
            schedule_from(SITE);                                             \
            schedule_fence(EVENT_FENCE, __ATOMIC_SEQ_CST);                   \
        }                                                                    \
        if (how == ADD && order == __ATOMIC_RELAXED && schedule_running() && \
            is_statistic((uintptr_t)p)) {                                    \
            memory_poke((uintptr_t)p, (const void *)(uintptr_t)p, n / 8);    \
            return builtin(p, v, __ATOMIC_RELAXED);                          \
        }                                                                    \
        if (!is_explored(p, n / 8, true)) {                                  \
            return builtin(p, v, __ATOMIC_SEQ_CST);                          \
        }                                                                    \
        uint64_t before[2];                                                  \
        change(p, n / 8, order, how, v, before, SITE);                       \
        return (uint##n##_t)before[0];                                       \
    }

#define ATOMIC(n)                                                               \
    uint##n##_t __tsan_atomic##n##_load(const volatile uint##n##_t *p,          \
                                        int order) {                            \
        if (!is_explored(p, n / 8, false)) {                                    \
            return __atomic_load_n(p, __ATOMIC_SEQ_CST);                        \
        }                                                                       \
        uint64_t v[2];                                                          \
        schedule_from(SITE);                                                    \
        schedule_load((uintptr_t)p, n / 8, (uint8_t)order, v);                  \
        return (uint##n##_t)v[0];                                               \
    }                                                                           \
    void __tsan_atomic##n##_store(volatile uint##n##_t *p, uint##n##_t v,       \
                                  int order) {                                  \
        if (!is_explored(p, n / 8, true)) {                                     \
            __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                           \
            return;                                                             \
        }                                                                       \
        uint64_t value[2] = {v, 0};                                             \
        schedule_from(SITE);                                                    \
        schedule_store((uintptr_t)p, n / 8, (uint8_t)order, value);             \
    }                                                                           \
    CHANGE(n, exchange, __atomic_exchange_n, XCHG)                              \
    CHANGE(n, fetch_add, __atomic_fetch_add, ADD)                               \
    CHANGE(n, fetch_sub, __atomic_fetch_sub, SUB)                               \
    CHANGE(n, fetch_and, __atomic_fetch_and, AND)                               \
    CHANGE(n, fetch_or, __atomic_fetch_or, OR)                                  \
    CHANGE(n, fetch_xor, __atomic_fetch_xor, XOR)                               \
    CHANGE(n, fetch_nand, __atomic_fetch_nand, NAND)                            \
    static bool cas##n(volatile uint##n##_t *p, uint##n##_t *seen,              \
                       uint##n##_t v, int order, int failure,                   \
                       uintptr_t site) {                                        \
        if (!is_explored(p, n / 8, true)) {                                     \
            return __atomic_compare_exchange_n(                                 \
                p, seen, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);         \
        }                                                                       \
        uint64_t expected[2] = {*seen, 0}, desired[2] = {v, 0};                 \
        schedule_from(site);                                                    \
        bool done = schedule_cas((uintptr_t)p, n / 8, (uint8_t)order,           \
                                 (uint8_t)failure, expected, desired);          \
        *seen = (uint##n##_t)expected[0];                                       \
        return done;                                                            \
    }                                                                           \
    /* A weak one that fails for no reason does what a strong one does in a   \
     * loop, so both are strong. */ \
    int __tsan_atomic##n##_compare_exchange_strong(                             \
        volatile uint##n##_t *p, uint##n##_t *seen, uint##n##_t v, int order,   \
        int failure) {                                                          \
        return cas##n(p, seen, v, order, failure, SITE);                        \
    }                                                                           \
    int __tsan_atomic##n##_compare_exchange_weak(                               \
        volatile uint##n##_t *p, uint##n##_t *seen, uint##n##_t v, int order,   \
        int failure) {                                                          \
        return cas##n(p, seen, v, order, failure, SITE);                        \
    }                                                                           \
    uint##n##_t __tsan_atomic##n##_compare_exchange_val(                        \
        volatile uint##n##_t *p, uint##n##_t expected, uint##n##_t v,           \
        int order, int failure) {                                               \
        (void)cas##n(p, &expected, v, order, failure, SITE);                    \
        return expected;                                                        \
    }
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

/* ---- 16 bytes ---- */

__extension__ typedef unsigned __int128 u128;

static bool cas128(volatile u128 *p, u128 *seen, u128 v, int order, int failure,
                   uintptr_t site) {
    if (!schedule_running()) machine_note_pair((uintptr_t)p);
    if (!is_explored(p, 16, true)) {
        u128 was = *p;
        bool done = was == *seen;
        if (done) *p = v;
        *seen = was;
        return done;
    }
    uint64_t expected[2] = {(uint64_t)*seen, (uint64_t)(*seen >> 64)};
    uint64_t desired[2] = {(uint64_t)v, (uint64_t)(v >> 64)};
    schedule_from(site);
    bool done = schedule_cas((uintptr_t)p, 16, (uint8_t)order, (uint8_t)failure,
                             expected, desired);
    *seen = (u128)expected[1] << 64 | expected[0];
    return done;
}

u128 __tsan_atomic128_compare_exchange_val(volatile u128 *p, u128 expected,
                                           u128 v, int order, int failure) {
    (void)cas128(p, &expected, v, order, failure, SITE);
    return expected;
}
int __tsan_atomic128_compare_exchange_strong(volatile u128 *p, u128 *seen,
                                             u128 v, int order, int failure) {
    return cas128(p, seen, v, order, failure, SITE);
}

/* ---- fences ---- */

void __tsan_atomic_thread_fence(int order) {
    if (!is_thread()) return;
    schedule_from(SITE);
    schedule_fence(EVENT_FENCE, (uint8_t)order);
}
void __tsan_atomic_signal_fence(int order) {
    if (!is_thread()) return;
    schedule_from(SITE);
    schedule_fence(EVENT_LIGHT, (uint8_t)order);
}

/* ---- libc ---- */

void *linn_explore_memset(void *p, int c, size_t bytes) {
    plain(p, bytes, PLAIN_WRITE, SITE);
    return memset(p, c, bytes);
}
void *linn_explore_memcpy(void *to, const void *from, size_t bytes) {
    plain(from, bytes, PLAIN_READ, SITE);
    plain(to, bytes, PLAIN_WRITE, SITE);
    return memcpy(to, from, bytes);
}
void *linn_explore_memmove(void *to, const void *from, size_t bytes) {
    plain(from, bytes, PLAIN_READ, SITE);
    plain(to, bytes, PLAIN_WRITE, SITE);
    return memmove(to, from, bytes);
}
void *linn_explore_mmap(void *hint, size_t bytes, int protection, int flags,
                        int file, long offset) {
    (void)hint;
    (void)protection;
    (void)offset;
    if ((flags & MAP_ANONYMOUS) == 0 || file != -1) {
        report_limit("mmap of a file");
    }
    return memory_map(bytes);
}
int linn_explore_munmap(void *p, size_t bytes) {
    return memory_unmap(p, bytes);
}
int linn_explore_mprotect(void *p, size_t bytes, int protection) {
    (void)p;
    (void)bytes;
    (void)protection;
    return 0;
}
int linn_explore_madvise(void *p, size_t bytes, int advice) {
    if (advice == MADV_DONTNEED) linn_explore_memset(p, 0, bytes);
    return 0;
}
long linn_explore_syscall(long number, ...) {
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_membarrier) {
        bool registers =
            a == 16; /* MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED */
        if (is_thread() && !registers) {
            schedule_from(SITE);
            schedule_fence(EVENT_HEAVY, __ATOMIC_SEQ_CST);
        }
        return 0;
    }
    if (number == SYS_get_robust_list) {
        /* Nothing is ever pending there; see threads.h. */
        static struct robust_list_head none;
        struct robust_list_head *head = &none;
        memcpy((void *)b, &head, sizeof(void *));
        return 0;
    }
    return syscall(number, a, b, c);
}
/* Each thread has its errno. */
int *linn_explore_errno(void) {
    static int value[THREADS];
    return &value[schedule_thread()];
}
void linn_explore_abort(void) {
    report_failure("the program aborts", schedule_site(), 0);
}
