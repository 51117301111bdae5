/* Histories of one container: threads claim elements of a subpage, give them back
 * and retire it, as alloc/arena.c does, and what they were told is explained by
 *
 *     free      a number
 *     live, listed, in the stack
 *
 *   claim   of up to w  gets min(free, w) at one moment; or nothing, when none is
 *                       free, it is not live, or it is in nobody's sight: not in
 *                       the stack
 *   give                free grows and it is listed, at one moment; if that listed
 *                       it, it comes into the stack at a later one
 *   retire              out of the stack; then kept (some free), unlisted (none)
 *                       or dead (all); if kept, back into the stack
 *   born                live with some taken; into the stack
 *
 * Which elements: each is held by one at a time, and a dead subpage wholly by
 * whoever retired it. */

#include "alloc/subpage.h"
#include "sync/section.h"
#include "verify/histories/record.h"

enum { CLAIM, GIVE, RETIRE, BORN };
enum { NOTHING_THERE, KEPT, UNLISTED, RETIRED };

#define THREADS      3
#define ELEMENTS_MAX 512

/* ---- the specification ---- */

enum { FREE, LIVE, LISTED, IN_STACK };

static uint32_t steps(const struct linn_call *call) {
    switch (call->kind) {
        case CLAIM:
            return 1;
        case RETIRE:
            return call->answer == NOTHING_THERE ? 1
                   : call->answer == KEPT        ? 3
                                                 : 2;
        default:
            return call->answer != 0 ? 2 : 1;
    }
}

static bool step_claim(const struct linn_call *call, int32_t *f) {
    if (call->answer == 0) return !f[LIVE] || f[FREE] == 0 || !f[IN_STACK];
    int32_t asked = (int32_t)call->asked;
    int32_t got = f[FREE] < asked ? f[FREE] : asked;
    if (!f[LIVE] || got != (int32_t)call->answer) return false;
    f[FREE] -= got;
    return true;
}

static bool step_give(const struct linn_call *call, int32_t *f) {
    if (!f[LIVE] || f[LISTED] == (int32_t)call->answer) return false;
    f[FREE] += (int32_t)call->asked;
    f[LISTED] = 1;
    return true;
}

static bool step_retire(const struct linn_call *call, uint32_t k, int32_t total,
                        int32_t *f) {
    if (call->answer == NOTHING_THERE) return !f[IN_STACK];
    if (k == 0) {
        if (!f[IN_STACK]) return false;
        f[IN_STACK] = 0;
        return true;
    }
    if (!f[LIVE] || !f[LISTED]) return false;
    if (call->answer == KEPT) return f[FREE] > 0 && f[FREE] < total;
    if (f[FREE] != (call->answer == RETIRED ? total : 0)) return false;
    f[LISTED] = 0;
    if (call->answer == RETIRED) f[FREE] = f[LIVE] = 0;
    return true;
}

static bool step_born(const struct linn_call *call, int32_t total, int32_t *f) {
    if (f[LIVE]) return false;
    f[FREE] = total - (int32_t)call->asked;
    f[LISTED] = f[FREE] > 0;
    f[LIVE] = 1;
    return f[LISTED] == (int32_t)call->answer;
}

static bool step(const struct linn_spec *spec, const struct linn_call *call,
                 uint32_t k, struct linn_state *state) {
    int32_t *f = state->field;
    /* The last step of a call that lists the subpage puts it into the stack. */
    bool pushes = call->kind != CLAIM && k > 0 && k + 1 == steps(call) &&
                  (call->kind != RETIRE || call->answer == KEPT);
    if (pushes) {
        if (f[IN_STACK]) return false;
        f[IN_STACK] = 1;
        return true;
    }
    switch (call->kind) {
        case CLAIM:
            return step_claim(call, f);
        case GIVE:
            return step_give(call, f);
        case RETIRE:
            return step_retire(call, k, spec->size, f);
        default:
            return step_born(call, spec->size, f);
    }
}

/* ---- the world ---- */

static struct linn_subpage sp;
static struct linn_tagged_stack stack;
static struct linn_section section;
static uint32_t total;
static uint32_t calls_each;
static long payload[ELEMENTS_MAX];
static pthread_barrier_t begin;

struct worker {
    pthread_t thread;
    uint32_t name;
    uint64_t random;
    struct linn_call *call;
    size_t calls;
    struct linn_hold *hold;
    size_t holds, holds_room;
    size_t of_element[ELEMENTS_MAX]; /* its hold */
    uint32_t held[ELEMENTS_MAX];
    uint32_t held_count;
    uint32_t doubles;
};

static size_t new_hold(struct worker *me, uint32_t first, uint32_t end,
                       uint64_t from) {
    if (me->holds == me->holds_room) {
        me->holds_room = me->holds_room * 2 + 1024;
        struct linn_hold *more =
            realloc(me->hold, me->holds_room * sizeof *more);
        must(more != NULL, "memory for the record");
        me->hold = more;
    }
    me->hold[me->holds] = (struct linn_hold){first, end, from, UINT64_MAX};
    return me->holds++;
}

static void add_held(struct worker *me, uint32_t element, uint64_t from) {
    me->of_element[element] = new_hold(me, element, element + 1, from);
    me->held[me->held_count++] = element;
    touch(&payload[element]);
}

static void note(struct worker *me, uint32_t kind, uint64_t invoked,
                 uint32_t asked, uint32_t answer, uint64_t answered) {
    me->call[me->calls++] =
        (struct linn_call){invoked, answered, me->name, kind, asked, answer};
}

/* As reserve_at_top and take_partial of alloc/arena.c. */
static uint32_t claim(uint32_t want, struct linn_elements *taken) {
    struct linn_top top;
    uint32_t got = 0;
    linn_section_enter(&section);
    while (linn_tagged_stack_look(&stack, &top)) {
        uint64_t seen = sync_u64_load_acquire(&sp.guard);
        if (!linn_tagged_stack_is_still(&stack, &top)) continue;
        got = linn_subpage_reserve(&sp, seen, want);
        break;
    }
    if (got > 0) linn_subpage_claim(&sp, got, taken);
    linn_section_leave(&section);
    return got;
}

static void do_claim(struct worker *me) {
    struct linn_elements taken;
    uint32_t want = 1 + draw(&me->random, 16);
    uint64_t invoked = invoke(&me->random);
    uint32_t got = claim(want, &taken);
    uint64_t answered = draw_stamp();
    note(me, CLAIM, invoked, want, got, answered);
    if (got == 0) return;
    uint32_t found = 0;
    for (uint32_t i = 0; i < total; i++) {
        if (!(taken.word[i / 64] >> i % 64 & 1)) continue;
        found++;
        add_held(me, i, answered);
    }
    must(found == got, "as many elements as it said");
}

static void do_give(struct worker *me, uint32_t count) {
    struct linn_elements given = {{0}};
    uint32_t last = me->held_count, first = last - count;
    for (uint32_t i = first; i < last; i++) {
        uint32_t e = me->held[i];
        given.word[e / 64] |= UINT64_C(1) << e % 64;
        touch(&payload[e]);
    }
    me->held_count = first;
    uint64_t invoked = invoke(&me->random);
    linn_section_enter(&section);
    me->doubles += linn_subpage_set_bits(&sp, &given);
    bool list = linn_subpage_leave(&sp, count);
    if (list) linn_tagged_stack_push(&stack, &sp.node);
    linn_section_leave(&section);
    note(me, GIVE, invoked, count, list, draw_stamp());
    for (uint32_t i = first; i < last; i++) {
        me->hold[me->of_element[me->held[i]]].until = invoked;
    }
}

/* Whoever retired it owns the run, writes all of it and begins the next life. */
static void begin_next_life(struct worker *me, uint64_t since) {
    size_t run = new_hold(me, 0, total, since);
    for (uint32_t i = 0; i < total; i++)
        touch(&payload[i]);
    uint32_t taken = draw(&me->random, 4);
    uint64_t invoked = invoke(&me->random);
    bool list = linn_subpage_born(&sp, 1, total, taken);
    if (list) {
        linn_section_enter(&section);
        linn_tagged_stack_push(&stack, &sp.node);
        linn_section_leave(&section);
    }
    uint64_t answered = draw_stamp();
    note(me, BORN, invoked, taken, list, answered);
    me->hold[run].until = invoked;
    for (uint32_t i = 0; i < taken; i++)
        add_held(me, i, answered);
}

static void do_retire(struct worker *me) {
    uint32_t answer = NOTHING_THERE;
    uint64_t invoked = invoke(&me->random);
    linn_section_enter(&section);
    struct linn_stack_node *node = linn_tagged_stack_pop(&stack);
    if (node != NULL) {
        switch (linn_subpage_popped(&sp, total)) {
            case LINN_POPPED_KEEP:
                linn_tagged_stack_push(&stack, node);
                answer = KEPT;
                break;
            case LINN_POPPED_DROPPED:
                answer = UNLISTED;
                break;
            case LINN_POPPED_RETIRED:
                answer = RETIRED;
                break;
        }
    }
    linn_section_leave(&section);
    uint64_t answered = draw_stamp();
    note(me, RETIRE, invoked, 0, answer, answered);
    if (answer == RETIRED) begin_next_life(me, answered);
}

/* Hungry for some calls, so that nothing is left; then tidy, so that all is free
 * at times. */
static void *work(void *worker) {
    struct worker *me = worker;
    (void)pthread_barrier_wait(&begin);
    for (uint32_t i = 0; i < calls_each; i++) {
        bool tidy = i / 32 % 2 == 1;
        uint32_t dice = draw(&me->random, 16);
        if (tidy && me->held_count > 0) {
            do_give(me, me->held_count);
        } else if (dice < (tidy ? 10 : 2)) {
            do_retire(me);
        } else if (dice < (tidy ? 12 : 13) || me->held_count == 0) {
            do_claim(me);
        } else {
            do_give(me, 1 + draw(&me->random, me->held_count));
        }
    }
    if (me->held_count > 0) do_give(me, me->held_count);
    return NULL;
}

/* ---- one run ---- */

struct sums {
    size_t calls, overlapping, nothing, retired, holds, sets, most, held;
};

static int by_invocation(const void *a, const void *b) {
    const struct linn_call *x = a, *y = b;
    return x->invoked < y->invoked ? -1 : x->invoked > y->invoked;
}

static void count(const struct linn_call *call, size_t n, struct sums *sums) {
    uint64_t latest = 0;
    for (size_t i = 0; i < n; i++) {
        bool before = call[i].invoked < latest;
        bool after = i + 1 < n && call[i + 1].invoked < call[i].answered;
        sums->overlapping += before || after;
        if (call[i].answered > latest) latest = call[i].answered;
        sums->nothing += call[i].kind == CLAIM && call[i].answer == 0;
        sums->retired += call[i].kind == RETIRE && call[i].answer == RETIRED;
    }
    sums->calls += n;
}

static void say_why(const struct linn_call *call, size_t n, size_t culprit) {
    const struct linn_call *c = &call[culprit];
    printf("NOT LINEARIZABLE: no moment explains the answer of call %zu:\n",
           culprit);
    for (size_t i = 0; i < n; i++) {
        if (call[i].answered + 12 < c->invoked) continue;
        if (call[i].invoked > c->answered) break;
        static const char *const name[] = {"claim", "give", "retire", "born"};
        printf("%s thread %u: %s(%u) = %u, %zu..%zu\n",
               i == culprit ? ">" : " ", call[i].thread, name[call[i].kind],
               call[i].asked, call[i].answer, (size_t)call[i].invoked,
               (size_t)call[i].answered);
    }
}

static bool run(uint32_t elements, uint64_t seed, struct sums *sums) {
    static struct worker worker[THREADS];
    total = elements;
    memset(worker, 0, sizeof worker);
    memset(&sp, 0, sizeof sp);
    memset(&stack, 0, sizeof stack);
    linn_section_init(&section);
    linn_tagged_stack_init(&stack, UINT64_MAX - 2); /* near its wrap */
    if (linn_subpage_born(&sp, 1, total, 0)) {
        linn_tagged_stack_push(&stack, &sp.node);
    }
    for (uint32_t t = 0; t < THREADS; t++) {
        worker[t].name = t;
        worker[t].random = seed * 977 + t + 1;
        /* A retirement is two calls, and one gives back at the end. */
        worker[t].call =
            must_have(2 * calls_each + 1, sizeof(struct linn_call));
    }
    must(pthread_barrier_init(&begin, NULL, THREADS) == 0, "a barrier");
    for (uint32_t t = 0; t < THREADS; t++)
        start(&worker[t].thread, work, &worker[t]);
    size_t calls = 0, holds = 0;
    uint32_t doubles = 0;
    for (uint32_t t = 0; t < THREADS; t++) {
        must(pthread_join(worker[t].thread, NULL) == 0, "a thread ends");
        calls += worker[t].calls;
        holds += worker[t].holds;
        doubles += worker[t].doubles;
    }
    pthread_barrier_destroy(&begin);
    struct linn_call *call = must_have(calls, sizeof *call);
    struct linn_hold *hold = must_have(holds + 1, sizeof *hold);
    for (uint32_t t = 0, at = 0, from = 0; t < THREADS; t++) {
        memcpy(call + at, worker[t].call, worker[t].calls * sizeof *call);
        at += (uint32_t)worker[t].calls;
        if (worker[t].holds > 0) {
            memcpy(hold + from, worker[t].hold, worker[t].holds * sizeof *hold);
        }
        from += (uint32_t)worker[t].holds;
        free(worker[t].call);
        free(worker[t].hold);
    }
    qsort(call, calls, sizeof *call, by_invocation);
    count(call, calls, sums);
    sums->holds += holds;
    size_t held = 0;
    bool sound = holds_are_explained(hold, holds, &held);
    if (held > sums->held) sums->held = held;
    struct linn_spec spec = {
        {{(int32_t)total, 1, 1, 1}}, (int32_t)total, steps, step};
    struct linn_verdict verdict;
    if (!linn_history_is_explained(&spec, call, calls, &verdict)) {
        say_why(call, calls, verdict.culprit);
        sound = false;
    }
    sums->sets += verdict.sets;
    if (verdict.most > sums->most) sums->most = verdict.most;
    free(call);
    free(hold);
    if (doubles > 0) printf("%u elements were free already\n", doubles);
    /* A history that is explained leaves all free; whatever the subpage says. */
    struct linn_subpage_guard g = linn_subpage_look(&sp);
    bool at_rest = linn_subpage_is_valid_quiescent(&sp, total) &&
                   (g.state != LINN_SUBPAGE_LIVE || g.free == total);
    if (!at_rest) printf("at rest the subpage is not whole\n");
    return sound && at_rest && doubles == 0;
}

int main(int argc, char **argv) {
    uint32_t runs = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 8;
    calls_each = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 6000;
    static const uint32_t sizes[] = {24, 64, 150, 512};
    struct sums sums = {0};
    bool sound = true;
    for (uint32_t i = 0; i < runs && sound; i++) {
        sound = run(sizes[i % 4], i + 1, &sums);
    }
    printf(
        "container: %u threads, %zu calls (%zu beside another), %zu got "
        "nothing, %zu retired; %zu holds, at most %zu at a time; "
        "%zu sets of steps, at most %zu at a time\n",
        THREADS, sums.calls, sums.overlapping, sums.nothing, sums.retired,
        sums.holds, sums.held, sums.sets, sums.most);
    if (!sound) return 1;
    must(sums.calls >= (size_t)runs * calls_each * THREADS, "floor: calls");
    must(sums.overlapping >= 20, "floor: calls beside another");
    must(sums.nothing >= runs && sums.retired >= runs,
         "floor: claims that got nothing, and retirements");
    must(sums.most >= 4, "floor: sets of steps at a time");
    return 0;
}
