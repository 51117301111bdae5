/* See threads.h.  The functions of libc come here by redirect.syms. */

#include "verify/explore/threads.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "verify/explore/fiber.h"
#include "verify/explore/machine.h"
#include "verify/explore/memory.h"
#include "verify/explore/report.h"
#include "verify/explore/schedule.h"
#include "verify/scenario.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define SITE ((uintptr_t)__builtin_return_address(0))

enum {
    OWNER_DIED = 0x100,
    NOT_RECOVERABLE = 0x200,
    HELD_MAX = 8,
    KEYS_MAX = 4,
};

static struct each {
    struct held {
        pthread_mutex_t *mutex;
        bool inconsistent; /* locked after its owner's death */
    } held[HELD_MAX];
    void *value[KEYS_MAX];
} each[THREADS], sealed[THREADS];

static void (*destructors[KEYS_MAX])(void *);
static unsigned keys;

void threads_seal(void) {
    memcpy(sealed, each, sizeof sealed);
}

void threads_begin(void) {
    memcpy(each, sealed, sizeof each);
}

/* ---- the word ---- */

static bool is_explored(void) {
    return schedule_running() && schedule_thread() != 0;
}

static uint64_t my_number(void) {
    return (uint64_t)schedule_thread() + 1;
}

static bool change_word(pthread_mutex_t *m, uint64_t *seen, uint64_t next,
                        uintptr_t site) {
    uint64_t *word = (uint64_t *)(void *)m;
    if (!is_explored()) {
        if (schedule_running()) {
            memory_access((uintptr_t)word, 8, PLAIN_WRITE, site);
        }
        bool same = *word == *seen;
        *seen = *word;
        if (same) *word = next;
        return same;
    }
    uint64_t expected[2] = {*seen, 0}, desired[2] = {next, 0};
    schedule_from(site);
    bool done = schedule_cas((uintptr_t)word, 8, __ATOMIC_ACQUIRE,
                             __ATOMIC_RELAXED, expected, desired);
    *seen = expected[0];
    return done;
}

static void give_word(pthread_mutex_t *m, uint64_t next, uintptr_t site) {
    uint64_t *word = (uint64_t *)(void *)m;
    if (!is_explored()) {
        if (schedule_running()) {
            memory_access((uintptr_t)word, 8, PLAIN_WRITE, site);
        }
        *word = next;
        return;
    }
    uint64_t operand[2] = {next, 0}, before[2];
    schedule_from(site);
    schedule_change((uintptr_t)word, 8, __ATOMIC_RELEASE, XCHG, operand,
                    before);
    if (before[0] != my_number()) {
        report_failure("a mutex is given up by who does not own it", site, 0);
    }
}

static struct held *find_held(const pthread_mutex_t *m) {
    struct held *held = each[schedule_thread()].held;
    for (int i = 0; i < HELD_MAX; i++) {
        if (held[i].mutex == m) return &held[i];
    }
    return NULL;
}

static void note_held(pthread_mutex_t *m, bool inconsistent) {
    struct held *h = find_held(NULL);
    if (h == NULL) report_limit("a thread with many mutexes");
    h->mutex = m;
    h->inconsistent = inconsistent;
}

/* ---- mutexes ---- */

int linn_explore_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a) {
    (void)a;
    if (schedule_running()) {
        memory_access((uintptr_t)m, sizeof *m, PLAIN_WRITE, SITE);
    }
    memset(m, 0, sizeof *m);
    return 0;
}

int linn_explore_mutex_trylock(pthread_mutex_t *m) {
    uint64_t seen = 0;
    if (change_word(m, &seen, my_number(), SITE)) {
        note_held(m, false);
        return 0;
    }
    if (seen == OWNER_DIED && change_word(m, &seen, my_number(), SITE)) {
        note_held(m, true);
        return EOWNERDEAD;
    }
    return seen == NOT_RECOVERABLE ? ENOTRECOVERABLE : EBUSY;
}

int linn_explore_mutex_consistent(pthread_mutex_t *m) {
    struct held *h = find_held(m);
    if (h == NULL || !h->inconsistent) return EINVAL;
    h->inconsistent = false;
    return 0;
}

int linn_explore_mutex_unlock(pthread_mutex_t *m) {
    struct held *h = find_held(m);
    if (h == NULL) {
        report_failure("a mutex is unlocked by who does not hold it", SITE, 0);
    }
    h->mutex = NULL;
    give_word(m, h->inconsistent ? NOT_RECOVERABLE : 0, SITE);
    return 0;
}

/* ---- keys ---- */

int linn_explore_key_create(pthread_key_t *key, void (*destructor)(void *)) {
    if (schedule_running()) report_limit("a key that a thread creates");
    if (keys == KEYS_MAX) return EAGAIN;
    destructors[keys] = destructor;
    *key = keys++;
    return 0;
}

int linn_explore_setspecific(pthread_key_t key, const void *value) {
    each[schedule_thread()].value[key] = (void *)(uintptr_t)value;
    return 0;
}

/* Fork is not modelled. */
int linn_explore_atfork(void (*prepare)(void), void (*parent)(void),
                        void (*child)(void)) {
    (void)prepare;
    (void)parent;
    (void)child;
    return 0;
}

/* ---- the end ---- */

void linn_scenario_dies(void) {
    struct held *held = each[schedule_thread()].held;
    for (int i = 0; i < HELD_MAX; i++) {
        pthread_mutex_t *m = held[i].mutex;
        if (m == NULL) continue;
        held[i].mutex = NULL;
        give_word(m, OWNER_DIED, SITE);
    }
    schedule_end_thread();
}

void linn_scenario_ends(void) {
    void **value = each[schedule_thread()].value;
    for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
        for (unsigned k = 0; k < keys; k++) {
            void *v = value[k];
            value[k] = NULL;
            if (v != NULL) destructors[k](v);
        }
    }
    linn_scenario_dies();
}

void linn_scenario_prepare(int thread, void (*function)(void)) {
    schedule_prepare(thread + 1, function);
}
