/* recorder_victim: makes allocation calls that recorder_test knows of.
 *
 *     recorder_victim calls|threads|reuse|fork|killed|limit|late
 *
 * Blocks that are to be recognised have sizes no one else asks for: 90,000 to
 * 99,999 bytes.  Exit code 0 says that the calls did what they should. */

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sync/atomic.h"

#define SIZE_BASE      90000
#define HAND_OVER      4 /* producers, and as many consumers */
#define HAND_OVER_EACH 1000
#define REUSE_THREADS  4
#define REUSE_EACH     40000
#define REUSE_PLACES   16

#define MUST(fact)                                                 \
    do {                                                           \
        if (!(fact)) {                                             \
            fprintf(stderr, "line %d: not %s\n", __LINE__, #fact); \
            exit(1);                                               \
        }                                                          \
    } while (0)

/* The compiler may leave out a pair of malloc and free that nobody sees, and
 * warns of sizes that it sees. */
static void *look(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static size_t hide(size_t n) {
    __asm__ volatile("" : "+r"(n));
    return n;
}

/* Misuse and leaks are what this program is for.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc,bugprone-suspicious-realloc-usage) */

/* One of each call, in the order the test expects. */
static void calls(void) {
    void *p = look(malloc(90001));
    MUST(p != NULL && malloc_usable_size(p) >= 90001);
    free(p);

    unsigned char *zero = look(calloc(9, 10001));
    MUST(zero != NULL && zero[0] == 0 && zero[90008] == 0);
    free(zero);

    p = look(realloc(NULL, 90010));
    memset(p, 7, 90010);
    p = look(realloc(p, 90011));
    p = look(realloc(p, 99000));
    MUST(p != NULL && ((unsigned char *)p)[90009] == 7);
    errno = 0;
    MUST(look(realloc(p, hide(PTRDIFF_MAX))) == NULL && errno == ENOMEM);
    p = look(realloc(p, 90012));
    MUST(look(realloc(p, 0)) == NULL);

    p = look(reallocarray(NULL, 3, 30007));
    p = look(reallocarray(p, 3, 30008));
    errno = 0;
    MUST(look(reallocarray(p, hide(SIZE_MAX), 2)) == NULL && errno == ENOMEM);
    free(p);
    MUST(look(calloc(hide(SIZE_MAX), 2)) == NULL);

    p = look(aligned_alloc(64, 90112));
    MUST((uintptr_t)p % 64 == 0);
    free(p);
    MUST(posix_memalign(&p, 4096, 90040) == 0);
    MUST((uintptr_t)look(p) % 4096 == 0);
    free(p);
    void *kept = &kept;
    MUST(posix_memalign(&kept, 3, 90041) == EINVAL);
    p = look(memalign(128, 90050));
    MUST((uintptr_t)p % 128 == 0);
    free(p);
    p = look(valloc(90060));
    MUST((uintptr_t)p % (uintptr_t)sysconf(_SC_PAGESIZE) == 0);
    free(p);
    p = look(pvalloc(90061));
    MUST(p != NULL);
    free(p);
    errno = 77;
    free(look(malloc(90070)));
    free(NULL);
    MUST(errno == 77);
    MUST(malloc_usable_size(NULL) == 0);
}

/* Each producer makes blocks of sizes of its own and ends; then consumers, each
 * a new thread, free another's blocks. */
static void *handed[HAND_OVER][HAND_OVER_EACH];

static void *produce(void *argument) {
    size_t me = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < HAND_OVER_EACH; i++)
        handed[me][i] = malloc(SIZE_BASE + me * HAND_OVER_EACH + i);
    return NULL;
}

static void *consume(void *argument) {
    size_t me = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < HAND_OVER_EACH; i++)
        free(handed[me][i]);
    return NULL;
}

static void run(void *(*body)(void *), size_t count) {
    pthread_t thread[16];
    for (size_t i = 0; i < count; i++)
        MUST(pthread_create(&thread[i], NULL, body, (void *)(uintptr_t)i) == 0);
    for (size_t i = 0; i < count; i++)
        MUST(pthread_join(thread[i], NULL) == 0);
}

/* Threads swap blocks of few sizes through few places, so that addresses are
 * used again by other threads as soon as they are free. */

/* ATOMIC places, a block that whoever takes it frees
 *   VI.X1 swap   exchange  acq_rel  pairs VI.X1  the bytes of the block */
static sync_ptr places[REUSE_PLACES];
static pthread_barrier_t together;

static void *reuse_body(void *argument) {
    uint32_t random = 2 * (uint32_t)(uintptr_t)argument + 1;
    pthread_barrier_wait(&together);
    for (size_t i = 0; i < REUSE_EACH; i++) {
        random = random * UINT32_C(1664525) + UINT32_C(1013904223);
        void *fresh = malloc(90000 + random % 3);
        /* VI.X1 acq_rel, pairs with VI.X1: what we free was written by them. */
        void *old = sync_ptr_exchange_acq_rel(
            &places[(random >> 16) % REUSE_PLACES], fresh);
        if (random >> 27 == 0) sched_yield();
        if (random >> 30 == 0) old = realloc(old, 90000 + (random >> 8) % 1000);
        free(old);
    }
    return NULL;
}

static void await(pid_t child) {
    int status;
    MUST(waitpid(child, &status, 0) == child);
    MUST(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A child by fork, one of a raw system call that runs no handlers, one of the
 * child's own, and a spawned program. */
static void family(void) {
    void *a = look(malloc(90001)), *b = look(malloc(90002));
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        free(a);
        free(look(malloc(90003)));
        void *c = look(malloc(90004));
        pid_t grandchild = fork();
        if (grandchild == 0) {
            free(c);
            free(b);
            free(look(malloc(90005)));
            _exit(0);
        }
        await(grandchild);
        run(produce, 1);
        _exit(0);
    }
    await(child);
    child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        free(look(malloc(90006)));
        _exit(0);
    }
    await(child);
    char *arguments[] = {"true", NULL};
    MUST(posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0);
    await(child);
    free(a);
    free(b);
    free(look(malloc(90007)));
}

static void killed(void) {
    for (size_t i = 0; i < 10; i++)
        look(malloc(90000 + i));
    kill(getpid(), SIGKILL);
}

static void limit(void) {
    for (size_t i = 0; i < 9000; i++)
        free(look(malloc(90000 + i)));
}

/* What a thread frees in a destructor of its thread-local storage, after every
 * destructor of a library could have run. */
static pthread_key_t key;

static void destroy(void *block) {
    size_t size = malloc_usable_size(block);
    free(block);
    if (size < 90100) MUST(pthread_setspecific(key, malloc(90100)) == 0);
}

static void *late_body(void *unused) {
    (void)unused;
    MUST(pthread_setspecific(key, malloc(90000)) == 0);
    return NULL;
}

int main(int argc, char **argv) {
    const char *what = argc == 2 ? argv[1] : "";
    if (strcmp(what, "calls") == 0) {
        calls();
    } else if (strcmp(what, "threads") == 0) {
        run(produce, HAND_OVER);
        run(consume, HAND_OVER);
    } else if (strcmp(what, "reuse") == 0) {
        MUST(pthread_barrier_init(&together, NULL, REUSE_THREADS) == 0);
        run(reuse_body, REUSE_THREADS);
    } else if (strcmp(what, "fork") == 0) {
        family();
    } else if (strcmp(what, "killed") == 0) {
        killed();
    } else if (strcmp(what, "limit") == 0) {
        limit();
    } else if (strcmp(what, "late") == 0) {
        MUST(pthread_key_create(&key, destroy) == 0);
        run(late_body, 2);
    } else {
        fprintf(stderr, "recorder_victim: no such load: %s\n", what);
        return 2;
    }
    return 0;
}

/* NOLINTEND(clang-analyzer-unix.Malloc,bugprone-suspicious-realloc-usage) */
