/* Exploration: see schedule.h. */

#include "verify/explore/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "verify/explore/fiber.h"
#include "verify/explore/machine.h"
#include "verify/explore/memory.h"
#include "verify/explore/report.h"

enum {
    SCHEDULER = 0, /* the fiber; threads have theirs, `after` the last */
    AFTER = THREADS,
    DEPTH_MAX = 256,
    HISTORY_MAX = 2048,
    PERIOD_MAX = 32,
    REPEATS = 16,
    THREAD_EVENTS_MAX = 1200,
    CHOICES_MAX = 4096,
};

/* A thread of the program. */
struct thread {
    bool ended, waits;
    bool owes_write; /* between the halves of a read-modify-write */
    /* Reads since its last write, for the rule about waiting. */
    int history;
    struct step {
        uintptr_t site;
        int16_t source;
        uint16_t place;
    } step[HISTORY_MAX];
    int period; /* of the repetition that it waits in */
    /* Return addresses. */
    int depth;
    uintptr_t frame[DEPTH_MAX];
};

enum ending { COMPLETE, DEAD, WAITING, TRUNCATED };

static struct thread threads[THREADS];
static const struct program *program;
static const struct schedule_options *options;
static struct schedule_result result;
static int fiber_now, thread_now;
static bool running, starting;
static enum ending ending;
static bool over; /* nothing more is to be run in this execution */
static int last_thread, preemptions;

/* Choices of `full`, and their prefix that is tried now. */
static struct choice {
    uint16_t taken, of;
} choice[CHOICES_MAX];
static int choices, choice_at;

static uint64_t dice;
static int priority[THREADS], change_at[16], steps, steps_expected = 40;

bool schedule_running(void) {
    return running;
}

int schedule_thread(void) {
    return thread_now;
}

void schedule_enter(uintptr_t from) {
    struct thread *t = &threads[thread_now];
    if (t->depth < DEPTH_MAX) t->frame[t->depth] = from;
    t->depth++;
}

void schedule_leave(void) {
    threads[thread_now].depth--;
}

uintptr_t schedule_site(void) {
    const struct thread *t = &threads[thread_now];
    if (t->depth == 0 || t->depth > DEPTH_MAX) return 0;
    return t->frame[t->depth - 1];
}

/* ---- chance and choice ---- */

static uint64_t throw_dice(void) {
    dice += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = dice;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static int choose(int of) {
    if (of <= 1) return 0;
    if (options->mode != SCHEDULE_FULL) {
        return (int)(throw_dice() % (unsigned)of);
    }
    if (choice_at == CHOICES_MAX) report_limit("too many choices");
    if (choice_at == choices) {
        choice[choices].taken = 0;
        choice[choices++].of = (uint16_t)of;
    }
    return choice[choice_at++].taken;
}

/* The next of all sequences of choices; false when it was the last. */
static bool next_choices(void) {
    choices = choice_at;
    while (choices > 0) {
        struct choice *c = &choice[choices - 1];
        if (++c->taken < c->of) return true;
        choices--;
    }
    return false;
}

/* What --replay= says of the next event. */
static const char *replay_at;
static int replay_thread(void) {
    return *replay_at >= '1' && *replay_at <= '4' ? *replay_at - '0' : 0;
}
static int replay_position(void) {
    char *end;
    if (replay_at[0] == '\0' || replay_at[1] != '.') return -1;
    long position = strtol(replay_at + 2, &end, 10);
    return (int)position;
}
static void replay_advance(void) {
    while (*replay_at != '\0' && *replay_at != ',')
        replay_at++;
    if (*replay_at == ',') replay_at++;
}

/* ---- graphs put aside ---- */

struct brief {
    uint8_t kind, thread, half;
    bool exclusive;
    uint16_t place, position;
    int16_t source;
};

struct aside {
    struct aside *below;
    int events;
    struct brief event[];
};
static struct aside *aside;

/* Puts aside the graph of the events that `kept` says (all if NULL), where event
 * `changed` has another source, or is a write put at another position. */
static void put_aside(const bool *kept, int changed, int source, int write,
                      unsigned position) {
    const struct machine *m = &linn_machine;
    int16_t renamed[EVENTS_MAX] = {0};
    int n = 0;
    for (int i = 0; i < m->events; i++) {
        renamed[i] = kept == NULL || kept[i] ? (int16_t)n++ : (int16_t)-2;
    }
    struct aside *a = malloc(sizeof *a + (size_t)n * sizeof *a->event);
    if (a == NULL) report_limit("no memory");
    a->events = n;
    for (int i = 0; i < m->events; i++) {
        if (renamed[i] < 0) continue;
        const struct event *e = &m->event[i];
        struct brief *b = &a->event[renamed[i]];
        b->kind = e->kind;
        b->thread = e->thread;
        b->half = e->half;
        b->exclusive = e->exclusive;
        b->place = e->place;
        int from = i == changed ? source : e->source;
        b->source = e->kind != EVENT_READ || from == SOURCE_INITIAL
                        ? SOURCE_INITIAL
                        : renamed[from];
        b->position = 0;
        if (e->kind != EVENT_WRITE) continue;
        if (i == write) {
            b->position = (uint16_t)position;
            continue;
        }
        const struct place *p = machine_place_at(e->place);
        uint16_t rank = 1;
        for (unsigned k = 1; k < e->position; k++) {
            int w = p->write[k];
            if (w != write && renamed[w] >= 0) rank++;
        }
        if (write >= 0 && m->event[write].place == e->place &&
            rank >= position) {
            rank++;
        }
        b->position = rank;
    }
    a->below = aside;
    aside = a;
}

/* Makes the graph put aside last the plan of the next execution. */
static void take_up(void) {
    struct aside *a = aside;
    aside = a->below;
    for (int i = 0; i < a->events; i++) {
        const struct brief *b = &a->event[i];
        int id =
            machine_add(b->thread, b->kind, b->place, b->half, 0, b->exclusive);
        struct event *e = &linn_machine.event[id];
        e->source = b->source;
        if (b->kind != EVENT_WRITE) continue;
        struct place *p = machine_place_at(b->place);
        e->position = b->position;
        p->write[b->position] = (int16_t)id;
        if (p->writes <= b->position) p->writes = b->position + 1;
    }
    free(a);
}

/* ---- which thread is next ---- */

static bool is_over_for(int t) {
    return threads[t].ended || threads[t].waits;
}

static bool has_plan(int t) {
    return linn_machine.done[t] < linn_machine.planned[t];
}

static bool plan_is_ready(int t) {
    const struct machine *m = &linn_machine;
    if (is_over_for(t) || !has_plan(t)) return false;
    const struct event *e = &m->event[m->of_thread[t][m->done[t] + 1]];
    return e->kind != EVENT_READ || e->source == SOURCE_INITIAL ||
           m->event[e->source].executed;
}

static int pick_planned(void) {
    bool planned = false;
    if (last_thread > 0 && plan_is_ready(last_thread)) return last_thread;
    for (int t = 1; t <= program->threads; t++) {
        if (plan_is_ready(t)) return t;
        planned = planned || has_plan(t);
    }
    if (planned) report_limit("a plan that cannot be followed");
    return 0;
}

static int pick_new(void) {
    int ready[THREADS], n = 0, first = 0;
    for (int t = 1; t <= program->threads; t++) {
        if (is_over_for(t)) continue;
        if (threads[t].owes_write) return t;
        if (first == 0) first = t;
        ready[n++] = t;
    }
    if (n == 0) return 0;
    int again = last_thread > 0 && !is_over_for(last_thread) ? last_thread : 0;
    switch (options->mode) {
        case SCHEDULE_GRAPH:
            return first;
        case SCHEDULE_FULL:
            if (again && preemptions == options->preemptions) return again;
            /* The first choice is no preemption. */
            for (int i = 0; again && i < n; i++) {
                if (ready[i] == again) {
                    ready[i] = ready[0];
                    ready[0] = again;
                }
            }
            break;
        case SCHEDULE_REPLAY: {
            int t = replay_thread();
            return t > 0 && t <= program->threads && !is_over_for(t) ? t
                                                                     : first;
        }
        case SCHEDULE_PCT:
            steps++;
            for (int i = 0; i + 1 < options->depth && i < 16; i++) {
                if (change_at[i] == steps && again) priority[again] = -i - 1;
            }
            for (int i = 1; i < n; i++) {
                if (priority[ready[i]] > priority[ready[0]]) {
                    ready[0] = ready[i];
                }
            }
            return ready[0];
        case SCHEDULE_RANDOM:
            break;
    }
    int t = ready[choose(n)];
    if (again && t != again) preemptions++;
    return t;
}

static int pick(void) {
    if (over) return 0;
    int t = pick_planned();
    return t > 0 ? t : pick_new();
}

static void switch_to(int fiber, int thread) {
    int from = fiber_now;
    fiber_now = fiber;
    thread_now = thread;
    fiber_switch(from, fiber);
}

/* Lets the scheduler decide; comes back when this thread is next. */
static void wait_for_turn(void) {
    int me = thread_now;
    if (starting) {
        switch_to(SCHEDULER, 0);
        return;
    }
    int next = pick();
    if (next == me) return;
    if (next == 0) {
        switch_to(SCHEDULER, 0);
    } else {
        last_thread = next;
        switch_to(next, next);
    }
}

static void run_part(int fiber) {
    if (fiber == AFTER) {
        program->after();
        switch_to(SCHEDULER, 0);
        abort();
    }
    program->thread[fiber - 1]();
    schedule_end_thread();
}

void schedule_end_thread(void) {
    int me = thread_now;
    threads[me].ended = true;
    if (has_plan(me)) report_limit("the program is not deterministic: end");
    for (;;)
        wait_for_turn();
}

static void (*preparation)(void);

static void run_preparation(int fiber) {
    (void)fiber;
    preparation();
    switch_to(SCHEDULER, 0);
    abort();
}

void schedule_prepare(int thread, void (*function)(void)) {
    preparation = function;
    fiber_begin(thread, run_preparation);
    switch_to(thread, thread);
    fiber_keep(thread);
}

static void end_execution(enum ending how) __attribute__((noreturn));
static void end_execution(enum ending how) {
    ending = how;
    over = true;
    switch_to(SCHEDULER, 0);
    abort();
}

/* ---- events ---- */

static void check_bound(int t) {
    if (linn_machine.planned[t] > THREAD_EVENTS_MAX) end_execution(TRUNCATED);
}

/* A cycle of fences is closed by the event that goes back: one that comes before an
 * event executed earlier, in the order of its word.  A fence closes none, since
 * nothing comes after it yet. */
static void executed(int id) {
    if (!machine_is_last(id) && !machine_fences_agree()) end_execution(DEAD);
}

/* The plan's next event of thread t, which must be what the program does now. */
static int planned_event(int t, enum event_kind kind, int place) {
    const struct machine *m = &linn_machine;
    int id = m->of_thread[t][m->done[t] + 1];
    const struct event *e = &m->event[id];
    if (e->kind != kind || (kind <= EVENT_WRITE && e->place != place)) {
        report_limit("the program is not deterministic: another event");
    }
    return id;
}

struct comparison {
    bool always; /* a read-modify-write that cannot fail */
    const uint64_t *expected;
};

static bool would_write(const struct comparison *c, const uint64_t value[2],
                        int place) {
    if (c == NULL) return false;
    if (c->always) return true;
    size_t bytes = machine_place_at(place)->bytes;
    return memcmp(c->expected, value, bytes) == 0;
}

/* A source may be read by one read-modify-write only.  In `graph` the other may yet
 * be turned to what this one writes, if it is not behind us. */
static bool may_read(int t, int place, unsigned position,
                     const struct comparison *c) {
    uint64_t value[2] = {0, 0};
    machine_value(machine_place_at(place)->write[position], place, value);
    int other;
    if (!would_write(c, value, place)) return true;
    if (!machine_is_taken(place, position, &other)) return true;
    if (options->mode != SCHEDULE_GRAPH) return false;
    return !machine_knows(&linn_machine.prefix[t], &linn_machine.event[other]);
}

static void choose_source(int t, int id, const struct comparison *c) {
    struct machine *m = &linn_machine;
    struct event *e = &m->event[id];
    const struct place *p = machine_place_at(e->place);
    unsigned first = machine_first_position(e->place, e->half, &m->now[t]);
    unsigned candidate[PLACE_EVENTS_MAX];
    int n = 0;
    if (options->fault == FAULT_NO_STALE) first = p->writes - 1u;
    for (unsigned at = p->writes; at-- > first;) {
        if (may_read(t, e->place, at, c)) candidate[n++] = at;
    }
    if (n == 0) end_execution(DEAD);
    int chosen = 0;
    switch (options->mode) {
        case SCHEDULE_GRAPH:
            for (int i = 1; i < n; i++)
                put_aside(NULL, id, p->write[candidate[i]], -1, 0);
            break;
        case SCHEDULE_REPLAY:
            for (int i = 0; i < n; i++) {
                if ((int)candidate[i] == replay_position()) chosen = i;
            }
            replay_advance();
            break;
        case SCHEDULE_FULL:
            chosen = choose(n);
            break;
        case SCHEDULE_RANDOM:
        case SCHEDULE_PCT:
            if (throw_dice() % 3 == 0) chosen = choose(n);
            break;
    }
    e->source = p->write[candidate[chosen]];
}

/* Stops a thread that repeats itself. */
static void note_read(int t, int id) {
    struct thread *me = &threads[t];
    const struct event *e = &linn_machine.event[id];
    if (me->history == HISTORY_MAX) end_execution(TRUNCATED);
    struct step *s = &me->step[me->history++];
    s->site = e->site + (uintptr_t)me->depth;
    s->source = e->source;
    s->place = (uint16_t)(e->place * 4 + e->half);
    for (int period = 1; period <= PERIOD_MAX; period++) {
        int from = me->history - period * REPEATS;
        if (from < 0) return;
        bool same = true;
        for (int i = from; same && i + period < me->history; i++) {
            const struct step *a = &me->step[i], *b = &me->step[i + period];
            same = a->site == b->site && a->source == b->source &&
                   a->place == b->place;
        }
        if (!same) continue;
        me->waits = true;
        me->period = period;
        if (has_plan(t)) report_limit("not deterministic: it waits");
        wait_for_turn();
        abort(); /* never picked again */
    }
}

static int read_event(int place, uint8_t half, uint8_t order, uint8_t failure,
                      const struct comparison *c, uintptr_t site,
                      uint64_t value[2]) {
    struct machine *m = &linn_machine;
    int t = thread_now, id;
    if (has_plan(t)) {
        id = planned_event(t, EVENT_READ, place);
    } else {
        check_bound(t);
        id = machine_add(t, EVENT_READ, place, half, order, false);
        choose_source(t, id, c);
    }
    struct event *e = &m->event[id];
    machine_value(e->source, place, value);
    e->exclusive = would_write(c, value, place);
    e->order = c == NULL || e->exclusive ? order : failure;
    e->site = site;
    memcpy(e->value, value, sizeof e->value);
    machine_execute(id);
    executed(id);
    if (!e->exclusive) note_read(t, id);
    return id;
}

/* ---- a write, and the reads that it can turn to itself (TruSt) ---- */

static bool in_prefix(const struct event *e, const struct event *a) {
    return e != a && machine_knows(&a->prefix, e);
}

/* Whether e could not have been added later and better: no write that e does not
 * know of, among those before it and those that `a` rests on, comes after it. */
static bool is_maximally_added(int e_id, int a_id) {
    const struct machine *m = &linn_machine;
    const struct event *e = &m->event[e_id], *a = &m->event[a_id];
    if (e->kind > EVENT_WRITE) return true;
    unsigned position = machine_position(e);
    const struct place *p = machine_place_at(e->place);
    for (int i = 0; i < p->events; i++) {
        int id = p->event[i];
        const struct event *x = &m->event[id];
        if (id == a_id || (x->half & e->half) == 0) continue;
        if (id > e_id && !in_prefix(x, a)) continue;
        if (x->kind == EVENT_READ) {
            if (e->kind == EVENT_WRITE && x->source == e_id) return false;
        } else if (x->position > position) {
            return false;
        }
    }
    return true;
}

/* As machine_first_position, of the events that are kept and without `a`, in
 * positions among the kept writes. */
static unsigned first_position_kept(const bool *kept, int a_id, int place,
                                    uint8_t half, const struct clock *clock,
                                    const unsigned *rank) {
    const struct machine *m = &linn_machine;
    const struct place *p = machine_place_at(place);
    unsigned first = 0;
    for (int i = 0; i < p->events; i++) {
        int id = p->event[i];
        const struct event *e = &m->event[id];
        if (id == a_id || !kept[id] || (e->half & half) == 0) continue;
        if (!machine_knows(clock, e)) continue;
        unsigned at = rank[machine_position(e)];
        if (at > first) first = at;
    }
    return first;
}

static void turn_read(int r_id, int a_id) {
    const struct machine *m = &linn_machine;
    const struct event *a = &m->event[a_id], *r = &m->event[r_id];
    bool kept[EVENTS_MAX] = {false};
    for (int i = 0; i < m->events; i++) {
        const struct event *e = &m->event[i];
        kept[i] = i <= r_id || i == a_id || in_prefix(e, a);
        if ((!kept[i] || i == r_id) && !is_maximally_added(i, a_id)) return;
    }
    /* The kept writes of the word (without a), by position. */
    const struct place *p = machine_place_at(a->place);
    unsigned rank[PLACE_EVENTS_MAX];
    int write[PLACE_EVENTS_MAX];
    unsigned writes = 1;
    rank[0] = 0;
    write[0] = SOURCE_INITIAL;
    for (unsigned k = 1; k < p->writes; k++) {
        int w = p->write[k];
        rank[k] = writes;
        if (w != a_id && kept[w]) write[writes++] = w;
    }
    unsigned first, last;
    if (a->exclusive) {
        const struct event *half =
            &m->event[m->of_thread[a->thread][a->index - 1]];
        first = last = rank[machine_position(half)] + 1;
    } else {
        first = first_position_kept(kept, a_id, a->place, a->half, &a->before,
                                    rank) +
                1;
        last = writes;
    }
    /* r itself may have read something later already. */
    kept[r_id] = false;
    unsigned least =
        first_position_kept(kept, a_id, a->place, r->half, &r->before, rank);
    kept[r_id] = true;
    for (unsigned at = first; at <= last; at++) {
        if (at <= least) continue; /* a goes before what is at `at` now */
        if (at < writes && m->event[write[at]].exclusive) continue;
        put_aside(kept, r_id, a_id, a_id, at);
    }
}

static void turn_reads(int a_id) {
    const struct machine *m = &linn_machine;
    const struct event *a = &m->event[a_id];
    const struct place *p = machine_place_at(a->place);
    if (options->fault == FAULT_NO_BACKTRACK) return;
    for (int i = 0; i < p->events; i++) {
        int id = p->event[i];
        const struct event *r = &m->event[id];
        if (r->kind != EVENT_READ || (r->half & a->half) == 0) continue;
        if (!in_prefix(r, a)) turn_read(id, a_id);
    }
}

static void choose_position(int id) {
    struct machine *m = &linn_machine;
    const struct event *e = &m->event[id];
    const struct place *p = machine_place_at(e->place);
    unsigned candidate[PLACE_EVENTS_MAX];
    int n = 0, other;
    if (e->exclusive) {
        int half = m->of_thread[e->thread][e->index - 1];
        unsigned from = machine_position(&m->event[half]);
        if (!machine_is_taken(e->place, from, &other))
            candidate[n++] = from + 1;
    } else {
        unsigned first = machine_first_position(e->place, e->half, &e->before);
        if (options->fault == FAULT_IN_ORDER) first = p->writes - 1u;
        for (unsigned at = p->writes; at-- > first;) {
            if (!machine_is_taken(e->place, at, &other)) {
                candidate[n++] = at + 1;
            }
        }
    }
    if (options->mode == SCHEDULE_GRAPH) turn_reads(id);
    if (n == 0) end_execution(DEAD);
    int chosen = 0;
    switch (options->mode) {
        case SCHEDULE_GRAPH:
            for (int i = 1; i < n; i++)
                put_aside(NULL, -1, 0, id, candidate[i]);
            break;
        case SCHEDULE_REPLAY:
            for (int i = 0; i < n; i++) {
                if ((int)candidate[i] == replay_position()) chosen = i;
            }
            break;
        case SCHEDULE_FULL:
            chosen = choose(n);
            break;
        case SCHEDULE_RANDOM:
        case SCHEDULE_PCT:
            if (throw_dice() % 3 == 0) chosen = choose(n);
            break;
    }
    machine_insert(id, candidate[chosen]);
}

static void write_event(int place, uint8_t half, uint8_t order, bool exclusive,
                        uintptr_t site, const uint64_t value[2]) {
    struct machine *m = &linn_machine;
    int t = thread_now, id;
    threads[t].history = 0;
    bool planned = has_plan(t);
    if (planned) {
        id = planned_event(t, EVENT_WRITE, place);
    } else {
        check_bound(t);
        id = machine_add(t, EVENT_WRITE, place, half, order, exclusive);
    }
    struct event *e = &m->event[id];
    e->order = order;
    e->exclusive = exclusive;
    e->site = site;
    memcpy(e->value, value, sizeof e->value);
    machine_execute(id);
    if (!planned) {
        choose_position(id);
        /* A read-modify-write is one choice, its read's. */
        if (options->mode == SCHEDULE_REPLAY && !exclusive) replay_advance();
    }
    executed(id);
}

/* ---- what the program's accesses come to ---- */

static uintptr_t caller_site;

void schedule_from(uintptr_t site) {
    caller_site = site;
}

static int begin_access(uintptr_t address, unsigned bytes, uint8_t *half,
                        enum memory_kind kind, uintptr_t site) {
    int place = machine_place(address, bytes, half);
    if (machine_pairs_are_new()) end_execution(DEAD);
    if (thread_now != 0) wait_for_turn();
    memory_access(address, bytes, kind, site);
    return place;
}

static uint8_t checked(uint8_t order, unsigned bytes) {
    if (order != __ATOMIC_SEQ_CST) return order;
    if (bytes == 16)
        return __ATOMIC_ACQ_REL; /* the __sync form; see machine.h */
    report_limit("a sequentially consistent access");
}

void schedule_load(uintptr_t address, unsigned bytes, uint8_t order,
                   uint64_t value[2]) {
    uintptr_t site = caller_site;
    uint8_t half;
    int place = begin_access(address, bytes, &half, ATOMIC_READ, site);
    uint64_t whole[2] = {0, 0};
    (void)read_event(place, half, checked(order, bytes), 0, NULL, site, whole);
    value[0] = half == 2 ? whole[1] : whole[0];
    value[1] = half == 3 ? whole[1] : 0;
}

void schedule_store(uintptr_t address, unsigned bytes, uint8_t order,
                    const uint64_t value[2]) {
    uintptr_t site = caller_site;
    uint8_t half;
    int place = begin_access(address, bytes, &half, ATOMIC_WRITE, site);
    if (half != (machine_place_at(place)->bytes == 16 ? 3 : 1)) {
        report_limit("a store to half of a pair");
    }
    write_event(place, half, checked(order, bytes), false, site, value);
}

static void second_half(int place, uint8_t half, uint8_t order, uintptr_t site,
                        const uint64_t value[2]) {
    int me = thread_now;
    threads[me].owes_write = true;
    wait_for_turn();
    threads[me].owes_write = false;
    write_event(place, half, order, true, site, value);
}

void schedule_change(uintptr_t address, unsigned bytes, uint8_t order,
                     enum schedule_change change, uint64_t operand[2],
                     uint64_t before[2]) {
    uintptr_t site = caller_site;
    uint8_t half;
    order = checked(order, bytes);
    int place = begin_access(address, bytes, &half, ATOMIC_WRITE, site);
    struct comparison always = {true, NULL};
    (void)read_event(place, half, order, 0, &always, site, before);
    uint64_t v = before[0], o = operand[0], next[2] = {0, 0};
    switch (change) {
        case XCHG:
            v = o;
            break;
        case ADD:
            v += o;
            break;
        case SUB:
            v -= o;
            break;
        case AND:
            v &= o;
            break;
        case OR:
            v |= o;
            break;
        case XOR:
            v ^= o;
            break;
        case NAND:
            v = ~(v & o);
            break;
    }
    if (bytes < 8) v &= (UINT64_C(1) << 8 * bytes) - 1;
    next[0] = v;
    second_half(place, half, order, site, next);
}

bool schedule_cas(uintptr_t address, unsigned bytes, uint8_t order,
                  uint8_t failure, uint64_t expected[2],
                  const uint64_t desired[2]) {
    uintptr_t site = caller_site;
    uint8_t half;
    order = checked(order, bytes);
    failure = failure == __ATOMIC_SEQ_CST ? __ATOMIC_ACQUIRE : failure;
    int place = begin_access(address, bytes, &half, ATOMIC_WRITE, site);
    struct comparison c = {false, expected};
    uint64_t value[2] = {0, 0};
    int id = read_event(place, half, order, failure, &c, site, value);
    if (!linn_machine.event[id].exclusive) {
        memcpy(expected, value, sizeof value);
        return false;
    }
    second_half(place, half, order, site, desired);
    return true;
}

void schedule_fence(int kind, uint8_t order) {
    uintptr_t site = caller_site;
    int t = thread_now, id;
    wait_for_turn();
    if (has_plan(t)) {
        id = planned_event(t, (enum event_kind)kind, 0);
    } else {
        check_bound(t);
        id = machine_add(t, (enum event_kind)kind, 0, 0, order, false);
        if (options->mode == SCHEDULE_REPLAY) replay_advance();
    }
    linn_machine.event[id].order = order;
    linn_machine.event[id].site = site;
    machine_execute(id);
}

/* ---- executions ---- */

/* A thread that waits, and all it reads is the last there is. */
static void check_waiting(void) {
    bool waits = false;
    for (int t = 1; t <= program->threads; t++) {
        const struct thread *me = &threads[t];
        if (!me->waits) continue;
        waits = true;
        for (int i = me->history - me->period; i < me->history; i++) {
            const struct place *p = machine_place_at(me->step[i].place / 4);
            if (p->write[p->writes - 1] != me->step[i].source) return;
        }
    }
    if (waits) report_failure("a thread waits for what never comes", 0, 0);
}

static void run_execution(void) {
    memset(threads, 0, sizeof threads);
    if (program->begin != NULL) program->begin();
    over = false;
    ending = COMPLETE;
    last_thread = preemptions = choice_at = steps = 0;
    if (options->mode == SCHEDULE_PCT) {
        for (int t = 1; t < THREADS; t++)
            priority[t] = (int)(throw_dice() % 1000) + 1;
        for (int i = 0; i < 16; i++)
            change_at[i] = 1 + (int)(throw_dice() % (unsigned)steps_expected);
    }
    for (int t = 1; t <= program->threads; t++)
        fiber_begin(t, run_part);
    running = true;
    /* Each goes up to its first event. */
    starting = true;
    for (int t = 1; t <= program->threads; t++)
        switch_to(t, t);
    starting = false;
    int next = pick();
    if (next == 0) return;
    last_thread = next;
    switch_to(next, next);
}

/* Nobody can go on. */
static void finish_execution(void) {
    bool waits = false;
    for (int t = 1; t <= program->threads; t++)
        waits = waits || threads[t].waits;
    if (ending == COMPLETE && waits) {
        check_waiting();
        ending = WAITING;
    }
    if (ending == COMPLETE) {
        if (linn_machine.events > result.longest) {
            result.longest = linn_machine.events;
        }
        result.events += linn_machine.events;
        if (steps > 0) steps_expected = steps;
        machine_settle(memory_poke);
        thread_now = 0;
        fiber_begin(AFTER, run_part);
        switch_to(AFTER, 0);
    }
    running = false;
    if (ending == COMPLETE && program->judge != NULL) program->judge();
    memory_undo();
    switch (ending) {
        case COMPLETE:
            result.complete++;
            break;
        case DEAD:
            result.dead++;
            break;
        case WAITING:
            result.waiting++;
            break;
        case TRUNCATED:
            result.truncated++;
            break;
    }
}

static bool is_enough(time_t begin) {
    long all =
        result.complete + result.dead + result.waiting + result.truncated;
    if (options->executions > 0 && all >= options->executions) return true;
    return options->seconds > 0 && all % 64 == 0 &&
           time(NULL) - begin >= options->seconds;
}

struct schedule_result schedule_explore(const struct program *p,
                                        const struct schedule_options *o) {
    program = p;
    options = o;
    choices = 0;
    memset(&result, 0, sizeof result);
    time_t begin = time(NULL);
    bool graphs = o->mode == SCHEDULE_GRAPH, more = true;
    for (long n = 0; more; n++) {
        dice = (o->seed + (uint64_t)n) * UINT64_C(0xd1342543de82ef95);
        replay_at = o->replay;
        machine_reset();
        if (graphs && n > 0) take_up();
        run_execution();
        finish_execution();
        if (machine_pairs_changed()) {
            /* A word turned out to be half of a pair: again from the start. */
            for (struct aside *a; (a = aside) != NULL; free(a))
                aside = a->below;
            memset(&result, 0, sizeof result);
            choices = 0;
            n = -1;
            continue;
        }
        switch (o->mode) {
            case SCHEDULE_GRAPH:
                more = aside != NULL;
                break;
            case SCHEDULE_FULL:
                more = next_choices();
                break;
            case SCHEDULE_REPLAY:
                more = false;
                break;
            default:
                break;
        }
        if (!more) result.finished = o->mode <= SCHEDULE_FULL;
        if (is_enough(begin)) more = false;
    }
    if (result.truncated > 0) result.finished = false;
    for (struct aside *a; (a = aside) != NULL; free(a))
        aside = a->below;
    return result;
}

void schedule_print_choices(void) {
    const struct machine *m = &linn_machine;
    for (int i = 0; i < m->traced; i++) {
        int id = m->trace[i];
        const struct event *e = &m->event[id];
        bool second = e->kind == EVENT_WRITE && e->exclusive;
        unsigned position = machine_position(e), among = 0;
        /* Positions count the writes executed so far. */
        for (int k = 0; k < i; k++) {
            const struct event *w = &m->event[m->trace[k]];
            if (w->kind == EVENT_WRITE && w->place == e->place &&
                w->position <= position) {
                among++;
            }
        }
        if (e->kind == EVENT_WRITE) among++;
        if (second) continue;
        (void)printf("%s%d", i > 0 ? "," : "", e->thread);
        if (e->kind <= EVENT_WRITE) (void)printf(".%u", among);
    }
    (void)printf("\n");
}
