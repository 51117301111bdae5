#include "verify/histories/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *why) {
    fprintf(stderr, "history: %s\n", why);
    abort();
}

static void *array_of(size_t n, size_t bytes) {
    void *p = calloc(n == 0 ? 1 : n, bytes);
    if (p == NULL) fail("no memory");
    return p;
}

/* A call or a life begins or ends. */
struct event {
    uint64_t stamp;
    size_t number;
    bool ends;
};

static int by_stamp(const void *a, const void *b) {
    const struct event *x = a, *y = b;
    return x->stamp < y->stamp ? -1 : x->stamp > y->stamp;
}

/* ---- 1. who holds what ---- */

/* Holds of this moment, which are disjoint, by address. */
struct held {
    const struct linn_hold *holds;
    size_t *number;
    size_t n, room;
};

/* How many of them end at or before the address. */
static size_t count_below(const struct held *h, uintptr_t address) {
    size_t low = 0, high = h->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (h->holds[h->number[middle]].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void insert(struct held *h, size_t at, size_t number) {
    if (h->n == h->room) {
        h->room = h->room * 2 + 16;
        size_t *more = realloc(h->number, h->room * sizeof *more);
        if (more == NULL) fail("no memory");
        h->number = more;
    }
    memmove(h->number + at + 1, h->number + at,
            (h->n - at) * sizeof *h->number);
    h->number[at] = number;
    h->n++;
}

static void take_out(struct held *h, size_t at) {
    if (h->number == NULL || at >= h->n) fail("what ends is not held");
    h->n--;
    memmove(h->number + at, h->number + at + 1,
            (h->n - at) * sizeof *h->number);
}

bool linn_holds_clash(const struct linn_hold *holds, size_t n, size_t *a,
                      size_t *b, size_t *most) {
    struct event *events = array_of(2 * n, sizeof *events);
    size_t count = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (holds[i].until <= holds[i].from || holds[i].end <= holds[i].first) {
            fail("a hold ends before it begins");
        }
        events[count++] = (struct event){holds[i].from, i, false};
        if (holds[i].until == UINT64_MAX) continue;
        events[count++] = (struct event){holds[i].until, i, true};
    }
    qsort(events, count, sizeof *events, by_stamp);
    struct held now = {holds, NULL, 0, 0};
    bool clash = false;
    for (size_t i = 0; i < count && !clash; i++) {
        size_t number = events[i].number;
        size_t at = count_below(&now, holds[number].first);
        if (events[i].ends) {
            take_out(&now, at);
            continue;
        }
        if (at < now.n && holds[now.number[at]].first < holds[number].end) {
            *a = now.number[at];
            *b = number;
            clash = true;
        }
        insert(&now, at, number);
        if (now.n > largest) largest = now.n;
    }
    if (most != NULL) *most = largest;
    free(now.number);
    free(events);
    return clash;
}

/* ---- 2. what a container answers ---- */

/* How far each pending call may have come, and the state that this leaves. */
struct set {
    uint8_t done[LINN_HISTORY_THREADS];
    struct linn_state state;
};

struct sets {
    struct set *set;
    size_t n, room;
};

static bool is_in(const struct sets *s, const struct set *wanted) {
    for (size_t i = 0; i < s->n; i++) {
        if (memcmp(s->set[i].done, wanted->done, sizeof wanted->done) == 0 &&
            memcmp(&s->set[i].state, &wanted->state, sizeof wanted->state) ==
                0) {
            return true;
        }
    }
    return false;
}

static void add(struct sets *s, struct set set) {
    if (is_in(s, &set)) return;
    if (s->n == s->room) {
        s->room = s->room * 2 + 16;
        struct set *more = realloc(s->set, s->room * sizeof *more);
        if (more == NULL) fail("no memory");
        s->set = more;
    }
    s->set[s->n++] = set;
}

/* Adds all that can be reached by steps of pending calls. */
static void close_sets(struct sets *s, const struct linn_spec *spec,
                       const struct linn_call *const *pending) {
    for (size_t i = 0; i < s->n; i++) {
        for (uint32_t t = 0; t < LINN_HISTORY_THREADS; t++) {
            if (pending[t] == NULL) continue;
            struct set next = s->set[i];
            if (next.done[t] == spec->steps(pending[t])) continue;
            if (!spec->step(spec, pending[t], next.done[t], &next.state)) {
                continue;
            }
            next.done[t]++;
            add(s, next);
        }
    }
}

/* Leaves the sets in which thread t's call has happened wholly, and forgets it. */
static void keep_done(struct sets *s, uint32_t t, uint32_t steps) {
    struct sets kept = {NULL, 0, 0};
    for (size_t i = 0; i < s->n; i++) {
        struct set set = s->set[i];
        if (set.done[t] != steps) continue;
        set.done[t] = 0;
        add(&kept, set);
    }
    free(s->set);
    *s = kept;
}

bool linn_history_is_explained(const struct linn_spec *spec,
                               const struct linn_call *calls, size_t n,
                               struct linn_verdict *verdict) {
    struct event *events = array_of(2 * n, sizeof *events);
    for (size_t i = 0; i < n; i++) {
        if (calls[i].thread >= LINN_HISTORY_THREADS ||
            calls[i].answered <= calls[i].invoked) {
            fail(
                "no call: a thread too many, or an answer before its question");
        }
        events[2 * i] = (struct event){calls[i].invoked, i, false};
        events[2 * i + 1] = (struct event){calls[i].answered, i, true};
    }
    qsort(events, 2 * n, sizeof *events, by_stamp);
    const struct linn_call *pending[LINN_HISTORY_THREADS] = {NULL};
    struct sets now = {NULL, 0, 0};
    add(&now, (struct set){{0}, spec->start});
    *verdict = (struct linn_verdict){n, 0, 0};
    for (size_t i = 0; i < 2 * n; i++) {
        const struct linn_call *call = &calls[events[i].number];
        if (!events[i].ends) {
            if (pending[call->thread] != NULL) fail("a thread in two calls");
            pending[call->thread] = call;
            continue;
        }
        close_sets(&now, spec, pending);
        verdict->sets += now.n;
        if (now.n > verdict->most) verdict->most = now.n;
        keep_done(&now, call->thread, spec->steps(call));
        pending[call->thread] = NULL;
        if (now.n == 0) {
            verdict->culprit = events[i].number;
            break;
        }
    }
    free(now.set);
    free(events);
    return verdict->culprit == n;
}
