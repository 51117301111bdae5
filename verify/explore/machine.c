/* The model: see machine.h. */

#include "verify/explore/machine.h"

#include <string.h>

#include "verify/explore/report.h"

struct machine linn_machine;

/* Places stay for the whole exploration; a hash finds them. */
static struct place places[PLACES_MAX];
static int place_count;
#define TABLE 16384
static uint16_t table[TABLE]; /* place + 1 */
static uint16_t touched[PLACES_MAX];
static int touched_count;

/* Addresses known to be pairs, for ever. */
#define PAIRS_MAX 512
static uintptr_t pairs[PAIRS_MAX];
static int pair_count;
static bool pairs_changed;

static bool is_pair(uintptr_t address) {
    for (int i = 0; i < pair_count; i++) {
        if (pairs[i] == address) return true;
    }
    return false;
}

void machine_reset(void) {
    for (int i = 0; i < touched_count; i++) {
        struct place *p = &places[touched[i]];
        p->events = 0;
        p->writes = 1;
    }
    touched_count = 0;
    struct machine *m = &linn_machine;
    m->events = m->traced = m->fences = m->heavy = 0;
    memset(m->planned, 0, sizeof m->planned);
    memset(m->done, 0, sizeof m->done);
    memset(m->now, 0, sizeof m->now);
    memset(m->pending, 0, sizeof m->pending);
    memset(m->fenced, 0, sizeof m->fenced);
    memset(m->prefix, 0, sizeof m->prefix);
}

bool machine_pairs_changed(void) {
    bool changed = pairs_changed;
    if (changed) {
        machine_reset();
        memset(table, 0, sizeof table);
        place_count = 0;
    }
    pairs_changed = false;
    return changed;
}

struct place *machine_place_at(int place) {
    return &places[place];
}

static int find_place(uintptr_t address, unsigned bytes) {
    uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
    unsigned at = (unsigned)(hash >> 50) % TABLE;
    for (; table[at] != 0; at = (at + 1) % TABLE) {
        if (places[table[at] - 1].address == address) return table[at] - 1;
    }
    if (place_count == PLACES_MAX) report_limit("too many atomic words");
    struct place *p = &places[place_count];
    p->address = address;
    p->bytes = (uint8_t)bytes;
    p->events = 0;
    p->writes = 1;
    p->write[0] = SOURCE_INITIAL;
    table[at] = (uint16_t)(place_count + 1);
    return place_count++;
}

void machine_note_pair(uintptr_t address) {
    if (is_pair(address)) return;
    if (pair_count == PAIRS_MAX) report_limit("too many pairs");
    pairs[pair_count++] = address;
    pairs_changed = true;
}

bool machine_pairs_are_new(void) {
    return pairs_changed;
}

int machine_place(uintptr_t address, unsigned bytes, uint8_t *half) {
    uintptr_t whole = address & ~(uintptr_t)15;
    if (bytes == 16) machine_note_pair(address);
    if (bytes == 16 || is_pair(whole)) {
        *half = bytes == 16 ? 3 : address == whole ? 1 : 2;
        return find_place(whole, 16);
    }
    *half = 1;
    int place = find_place(address, bytes);
    if (places[place].bytes != bytes) {
        report_limit("an atomic word is accessed in two sizes");
    }
    return place;
}

static void touch(int place) {
    if (places[place].events == 0 && places[place].writes == 1) {
        touched[touched_count++] = (uint16_t)place;
    }
}

int machine_add(int thread, enum event_kind kind, int place, uint8_t half,
                uint8_t order, bool exclusive) {
    struct machine *m = &linn_machine;
    if (m->events == EVENTS_MAX) report_limit("too many events");
    int id = m->events++;
    struct event *e = &m->event[id];
    e->kind = (uint8_t)kind;
    e->thread = (uint8_t)thread;
    e->order = order;
    e->half = half;
    e->exclusive = exclusive;
    e->executed = false;
    e->place = (uint16_t)place;
    e->source = SOURCE_INITIAL;
    e->position = 0;
    e->index = (uint16_t)++m->planned[thread];
    e->site = 0;
    m->of_thread[thread][e->index] = id;
    if (kind == EVENT_READ || kind == EVENT_WRITE) {
        struct place *p = &places[place];
        if (p->events == PLACE_EVENTS_MAX) report_limit("a word is too busy");
        touch(place);
        p->event[p->events++] = (int16_t)id;
    }
    return id;
}

void machine_insert(int id, unsigned position) {
    struct machine *m = &linn_machine;
    struct place *p = &places[m->event[id].place];
    touch(m->event[id].place);
    for (unsigned i = p->writes; i > position; i--) {
        p->write[i] = p->write[i - 1];
        m->event[p->write[i]].position = (uint16_t)i;
    }
    p->write[position] = (int16_t)id;
    p->writes++;
    m->event[id].position = (uint16_t)position;
}

void machine_remove_last(void) {
    struct machine *m = &linn_machine;
    struct event *e = &m->event[--m->events];
    m->planned[e->thread]--;
    if (e->kind == EVENT_READ || e->kind == EVENT_WRITE) {
        places[e->place].events--;
    }
}

/* ---- clocks ---- */

static void join(struct clock *a, const struct clock *b) {
    for (int t = 0; t < THREADS; t++) {
        if (b->of[t] > a->of[t]) a->of[t] = b->of[t];
    }
}

static bool acquires(uint8_t order) {
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_CONSUME || order == __ATOMIC_SEQ_CST;
}

static bool releases(uint8_t order) {
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

void machine_execute(int id) {
    struct machine *m = &linn_machine;
    struct event *e = &m->event[id];
    int t = e->thread;
    struct clock *now = &m->now[t];
    e->before = *now;
    now->of[t] = m->prefix[t].of[t] = e->index;
    switch ((enum event_kind)e->kind) {
        case EVENT_READ:
            if (e->source != SOURCE_INITIAL) {
                const struct event *w = &m->event[e->source];
                join(&m->prefix[t], &w->prefix);
                join(&m->pending[t], &w->message);
                if (acquires(e->order)) join(now, &w->message);
            }
            break;
        case EVENT_WRITE:
            e->message = releases(e->order) ? *now : m->fenced[t];
            if (e->exclusive) {
                /* C++20: a release sequence goes on through read-modify-writes. */
                const struct event *r =
                    &m->event[m->of_thread[t][e->index - 1]];
                if (r->source != SOURCE_INITIAL) {
                    join(&e->message, &m->event[r->source].message);
                }
            }
            break;
        case EVENT_FENCE:
        case EVENT_HEAVY:
            if (acquires(e->order)) join(now, &m->pending[t]);
            if (releases(e->order)) m->fenced[t] = *now;
            if (e->order == __ATOMIC_SEQ_CST) {
                m->heavy++;
                m->fences++;
            }
            break;
        case EVENT_LIGHT:
            m->fences++;
            break;
    }
    e->happens = *now;
    e->prefix = m->prefix[t];
    e->executed = true;
    m->done[t]++;
    m->trace[m->traced++] = (int16_t)id;
}

/* ---- questions ---- */

unsigned machine_position(const struct event *e) {
    if (e->kind == EVENT_WRITE) return e->position;
    if (e->source == SOURCE_INITIAL) return 0;
    return linn_machine.event[e->source].position;
}

void machine_value(int write, int place, uint64_t value[2]) {
    if (write != SOURCE_INITIAL) {
        memcpy(value, linn_machine.event[write].value, 16);
        return;
    }
    value[0] = value[1] = 0;
    memcpy(value, (const void *)places[place].address, places[place].bytes);
}

unsigned machine_first_position(int place, uint8_t half,
                                const struct clock *clock) {
    const struct place *p = &places[place];
    unsigned first = 0;
    for (int i = 0; i < p->events; i++) {
        const struct event *e = &linn_machine.event[p->event[i]];
        if ((e->half & half) == 0 || !machine_knows(clock, e)) continue;
        unsigned at = machine_position(e);
        if (at > first) first = at;
    }
    return first;
}

bool machine_is_taken(int place, unsigned position, int *id) {
    const struct place *p = &places[place];
    if (position + 1 >= p->writes) return false;
    *id = p->write[position + 1];
    return linn_machine.event[*id].exclusive;
}

/* Whether something after fence f comes before something that is before fence g, in
 * the order of some word; or g is after f. */
static bool fence_before(const struct event *f, const struct event *g) {
    if (machine_knows(&g->before, f)) return true;
    const struct machine *m = &linn_machine;
    for (int i = 0; i < m->events; i++) {
        const struct event *a = &m->event[i];
        if (a->kind > EVENT_WRITE || !a->executed) continue;
        if (!machine_knows(&a->before, f)) continue;
        const struct place *p = &places[a->place];
        unsigned from = machine_position(a);
        for (int j = 0; j < p->events; j++) {
            const struct event *b = &m->event[p->event[j]];
            if (b == a || !b->executed || !machine_knows(&g->before, b)) {
                continue;
            }
            if ((b->half & a->half) == 0) continue;
            unsigned to = machine_position(b);
            bool reads_it = to == from && a->kind == EVENT_WRITE;
            if (from < to || reads_it) return true;
        }
    }
    return false;
}

/* A light barrier has no order against another one, so a cycle goes from heavy to
 * heavy, directly or by way of one light barrier.  Of the light ones of a thread the
 * later are after whatever an earlier one is after, and the earlier before whatever a
 * later one is before: the first that a heavy is before, and the last that is before
 * it, are found by halving. */
enum { HEAVY_MAX = 16, LIGHT_MAX = 1200 };

struct lights {
    int n;
    const struct event *of[LIGHT_MAX];
};

static int first_light_after(const struct event *heavy,
                             const struct lights *l) {
    int low = 0, high = l->n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (fence_before(heavy, l->of[middle])) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static int lights_before(const struct event *heavy, const struct lights *l) {
    int low = 0, high = l->n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (fence_before(l->of[middle], heavy)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool machine_fences_agree(void) {
    const struct machine *m = &linn_machine;
    if (m->heavy == 0 || m->fences < 2) return true;
    static struct lights light[THREADS];
    const struct event *heavy[HEAVY_MAX];
    bool before[HEAVY_MAX][HEAVY_MAX];
    int n = 0;
    for (int t = 0; t < THREADS; t++)
        light[t].n = 0;
    for (int t = 0; t < THREADS; t++) {
        for (int i = 1; i <= m->done[t]; i++) {
            const struct event *e = &m->event[m->of_thread[t][i]];
            if (e->kind < EVENT_FENCE) continue;
            if (e->kind == EVENT_LIGHT) {
                if (light[t].n == LIGHT_MAX) report_limit("too many barriers");
                light[t].of[light[t].n++] = e;
                continue;
            }
            if (e->kind == EVENT_FENCE && e->order != __ATOMIC_SEQ_CST) {
                continue;
            }
            if (n == HEAVY_MAX) report_limit("too many fences");
            heavy[n++] = e;
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            before[i][j] = i != j && fence_before(heavy[i], heavy[j]);
    }
    for (int t = 0; t < THREADS; t++) {
        int first[HEAVY_MAX], last[HEAVY_MAX];
        if (light[t].n == 0) continue;
        for (int i = 0; i < n; i++) {
            first[i] = first_light_after(heavy[i], &light[t]);
            last[i] = lights_before(heavy[i], &light[t]);
        }
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                if (first[i] < last[j]) before[i][j] = true;
            }
        }
    }
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                if (before[i][k] && before[k][j]) before[i][j] = true;
            }
        }
    }
    for (int i = 0; i < n; i++) {
        if (before[i][i]) return false;
    }
    return true;
}

bool machine_is_last(int id) {
    const struct machine *m = &linn_machine;
    const struct event *e = &m->event[id];
    const struct place *p = &places[e->place];
    unsigned at = machine_position(e);
    for (int i = 0; i < p->events; i++) {
        const struct event *b = &m->event[p->event[i]];
        if (b->executed && (b->half & e->half) != 0 &&
            machine_position(b) > at) {
            return false;
        }
    }
    return true;
}

void machine_settle(void (*poke)(uintptr_t address, const void *value,
                                 unsigned bytes)) {
    for (int i = 0; i < touched_count; i++) {
        const struct place *p = &places[touched[i]];
        if (p->writes == 1) continue;
        uint64_t value[2];
        machine_value(p->write[p->writes - 1], touched[i], value);
        poke(p->address, value, p->bytes);
    }
}
