/* The deciders of history.h against searches that try everything: random small
 * histories, sound and not, must get the same verdict from both.  And a few by
 * hand, whose verdict a reader can see. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/histories/history.h"

static void must(bool fact, const char *what) {
    if (fact) return;
    fprintf(stderr, "FAILED: %s\n", what);
    exit(1);
}

static uint64_t random_state = 1;

static uint32_t draw(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 33) % below);
}

/* ---- searches that try every order ---- */

#define CALLS_MAX 8

/* Whether the steps of `calls` that are not done yet can come in some order: a
 * step may come when every call answered before its call was invoked is done. */
static bool some_order(const struct linn_spec *spec,
                       const struct linn_call *calls, size_t n,
                       const uint8_t *done, const struct linn_state *state) {
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        if (done[i] == spec->steps(&calls[i])) continue;
        all = false;
        bool may = true;
        for (size_t j = 0; j < n; j++) {
            may = may && (calls[j].answered > calls[i].invoked ||
                          done[j] == spec->steps(&calls[j]));
        }
        struct linn_state next = *state;
        if (!may || !spec->step(spec, &calls[i], done[i], &next)) continue;
        uint8_t then[CALLS_MAX];
        memcpy(then, done, sizeof then);
        then[i]++;
        if (some_order(spec, calls, n, then, &next)) return true;
    }
    return all;
}

/* Blocks: kind 0 takes the bytes `asked` (a mask), kind 1 gives them back. */
static uint32_t one_step(const struct linn_call *call) {
    (void)call;
    return 1;
}

static bool step_blocks(const struct linn_spec *spec,
                        const struct linn_call *call, uint32_t k,
                        struct linn_state *state) {
    (void)spec;
    (void)k;
    int32_t mask = (int32_t)call->asked;
    if (call->kind == 0 ? (state->field[0] & mask) != 0
                        : (state->field[0] & mask) != mask) {
        return false;
    }
    state->field[0] ^= mask;
    return true;
}

/* A counter: kind 0 takes min(free, asked); kind 1 counts in one step and becomes
 * visible in another, before which a taker may get nothing. */
static uint32_t counter_steps(const struct linn_call *call) {
    return call->kind == 0 ? 1 : 2;
}

static bool step_counter(const struct linn_spec *spec,
                         const struct linn_call *call, uint32_t k,
                         struct linn_state *state) {
    int32_t *f = state->field;
    if (call->kind == 1) {
        if (k == 0) f[1]++;
        if (k == 0) f[0] += (int32_t)call->asked;
        if (k == 1) f[1]--;
        return f[0] <= spec->size;
    }
    if (call->answer == 0) return f[0] == 0 || f[1] > 0;
    int32_t asked = (int32_t)call->asked;
    int32_t got = f[0] < asked ? f[0] : asked;
    f[0] -= got;
    return got == (int32_t)call->answer;
}

/* ---- random histories ---- */

/* `n` calls of up to 3 threads, with stamps 1 .. 2n in a random order that keeps
 * each thread's calls apart. */
static void draw_times(struct linn_call *calls, size_t n) {
    size_t open[3];
    bool is_open[3] = {false};
    size_t begun = 0, closed = 0;
    uint64_t stamp = 1;
    while (closed < n) {
        uint32_t t = draw(3);
        if (is_open[t]) {
            calls[open[t]].answered = stamp++;
            is_open[t] = false;
            closed++;
        } else if (begun < n) {
            open[t] = begun++;
            is_open[t] = true;
            calls[open[t]].invoked = stamp++;
            calls[open[t]].thread = t;
        }
    }
}

static void compare_counters(long rounds) {
    const struct linn_spec spec = {{{2, 0}}, 4, counter_steps, step_counter};
    long yes = 0;
    for (long round = 0; round < rounds; round++) {
        struct linn_call calls[CALLS_MAX] = {{0}};
        size_t n = 2 + draw(5);
        draw_times(calls, n);
        for (size_t i = 0; i < n; i++) {
            calls[i].kind = draw(3) == 0;
            calls[i].asked = 1 + draw(2);
            if (calls[i].kind == 0) calls[i].answer = draw(calls[i].asked + 1);
        }
        struct linn_verdict verdict;
        bool found = linn_history_is_explained(&spec, calls, n, &verdict);
        uint8_t done[CALLS_MAX] = {0};
        bool truth = some_order(&spec, calls, n, done, &spec.start);
        must(found == truth, "the search that tries everything agrees");
        must(found == (verdict.culprit == n), "a culprit");
        yes += truth;
    }
    printf("answers: %ld histories, %ld explained, the same verdicts\n", rounds,
           yes);
    must(yes > rounds / 20 && yes < rounds - rounds / 20, "both kinds came up");
}

/* Blocks of 4 bytes of memory, each taken by one call and given back by another,
 * which need not be of the same thread. */
static void compare_blocks(long rounds) {
    const struct linn_spec spec = {{{0}}, 0, one_step, step_blocks};
    long clashes = 0;
    for (long round = 0; round < rounds;) {
        struct linn_call calls[CALLS_MAX] = {{0}};
        struct linn_hold holds[CALLS_MAX];
        size_t n = 2 + 2 * (size_t)draw(4), lives = 0;
        draw_times(calls, n);
        bool used[CALLS_MAX] = {false}, possible = true;
        for (size_t i = 0; i < n && possible; i++) {
            if (used[i]) continue;
            /* Its free is a call that was invoked after the answer. */
            size_t j = i + 1;
            while (j < n && (used[j] || calls[j].invoked < calls[i].answered))
                j++;
            possible = j < n;
            if (!possible) break;
            uint32_t first = draw(4), end = first + 1 + draw(4 - first);
            calls[i].asked = calls[j].asked = (1u << end) - (1u << first);
            calls[j].kind = 1;
            used[i] = used[j] = true;
            holds[lives++] = (struct linn_hold){first, end, calls[i].answered,
                                                calls[j].invoked};
        }
        if (!possible) continue;
        round++;
        size_t a, b;
        bool clash = linn_holds_clash(holds, lives, &a, &b, NULL);
        uint8_t done[CALLS_MAX] = {0};
        bool truth = some_order(&spec, calls, n, done, &spec.start);
        must(clash != truth, "the search that tries everything agrees");
        clashes += clash;
    }
    printf("holds: %ld histories, %ld with a clash, the same verdicts\n",
           rounds, clashes);
    must(clashes > rounds / 20 && clashes < rounds - rounds / 20,
         "both kinds came up");
}

/* ---- by hand ---- */

static void by_hand(void) {
    size_t a = 9, b = 9, most = 0;
    struct linn_hold twice[] = {{0x1000, 0x1040, 2, 7}, {0x1020, 0x1060, 5, 9}};
    must(linn_holds_clash(twice, 2, &a, &b, &most) && a == 0 && b == 1,
         "half a block handed out twice is found");
    struct linn_hold turns[] = {{0x1000, 0x1040, 2, 4}, {0x1000, 0x1040, 5, 9}};
    must(!linn_holds_clash(turns, 2, &a, &b, &most) && most == 1,
         "one after the other is not");
    struct linn_hold beside[] = {{0x1000, 0x1040, 2, 7},
                                 {0x1040, 0x1060, 5, 9}};
    must(!linn_holds_clash(beside, 2, &a, &b, &most) && most == 2,
         "one beside the other is not");

    /* Two are free; a call alone gets nothing: a block is lost. */
    const struct linn_spec spec = {{{2, 0}}, 4, counter_steps, step_counter};
    struct linn_call lost[] = {{1, 2, 0, 0, 1, 1}, {3, 4, 1, 0, 1, 0}};
    struct linn_verdict verdict;
    must(!linn_history_is_explained(&spec, lost, 2, &verdict) &&
             verdict.culprit == 1,
         "nothing, while one was free and nobody else in a call, is found");
    /* The same beside a call that takes the other one is fine. */
    struct linn_call taken[] = {
        {1, 2, 0, 0, 1, 1}, {3, 6, 1, 0, 1, 0}, {4, 5, 2, 0, 1, 1}};
    must(linn_history_is_explained(&spec, taken, 3, &verdict),
         "nothing, beside a call that took the last one, is explained");
    /* But not if that call began when this one had its answer. */
    taken[2].invoked = 7;
    taken[2].answered = 8;
    must(!linn_history_is_explained(&spec, taken, 3, &verdict) &&
             verdict.culprit == 1,
         "nothing, before a call that took the last one, is found");
}

int main(void) {
    by_hand();
    compare_counters(30000);
    compare_blocks(30000);
    return 0;
}
