#define SYNC_LAYER LINN_COUNT_THREAD_CACHE
#include "alloc/thread_cache.h"

#include <string.h>

#include "alloc/check.h"
#include "alloc/misuse.h"
#include "alloc/page_source.h"
#include "sync/asym.h"
#include "sync/reclaim.h"

/* ---- ctl ---- */

#define STATE_BITS  2
#define FENCED_BITS 1
#define GEN_BITS    43
#define WHO_BITS    18

#define FENCED_SHIFT STATE_BITS
#define GEN_SHIFT    (FENCED_SHIFT + FENCED_BITS)
#define WHO_SHIFT    (GEN_SHIFT + GEN_BITS)

#define MASK(bits) ((UINT64_C(1) << (bits)) - 1)
#define FENCED     (UINT64_C(1) << FENCED_SHIFT)

static uint32_t state_of(uint64_t ctl) {
    return (uint32_t)(ctl & MASK(STATE_BITS));
}

static uint64_t with_state(uint64_t ctl, enum linn_body_state state) {
    return (ctl & ~MASK(STATE_BITS)) | (uint64_t)state;
}

static uint32_t who_of(uint64_t ctl) {
    return (uint32_t)(ctl >> WHO_SHIFT & MASK(WHO_BITS));
}

static uint64_t with_who(uint64_t ctl, uint32_t who) {
    return (ctl & ~(MASK(WHO_BITS) << WHO_SHIFT)) | (uint64_t)who << WHO_SHIFT;
}

/* The next life: nobody's, with empty magazines. */
static uint64_t next_life(uint64_t ctl) {
    uint64_t gen = ((ctl >> GEN_SHIFT) + 1) & MASK(GEN_BITS);
    return gen << GEN_SHIFT | LINN_BODY_FREE;
}

/* ---- thread-local ---- */

/* Neither gives nor takes: what a body has for class 0, which no size has. */
static struct linn_magazine no_magazine;

/* Its ctl is 1 (OWNED by nobody), which no `mine` can be. */
static struct linn_body no_body = {
    .ctl = {1},
    .loaded = {[0 ... LINN_CLASSES_MAX - 1] = &no_magazine},
};
struct linn_caches linn_no_caches = {.ref = {{{0}, &no_body, NULL}},
                                     .descriptors = LINN_DESCRIPTOR_NO_CACHE};
__thread struct linn_tls linn_tls
    __attribute__((tls_model("initial-exec"))) = {&linn_no_caches, {0}, 0};

static struct linn_thread *record_of(struct linn_caches *state) {
    return state == &linn_no_caches ? NULL : linn_thread_of_payload(state);
}

static uint32_t name_of(struct linn_caches *state) {
    return linn_thread_index(linn_thread_of_payload(state)) + 1;
}

/* ---- bodies ---- */

#define SEGMENT_BODIES 16
#define BODIES_MAX     131072
#define SEGMENTS       (BODIES_MAX / SEGMENT_BODIES)
#define STORAGE_BYTES \
    ((size_t)LINN_CLASSES_MAX * 2 * linn_magazine_bytes(LINN_MAGAZINE_MAX))
#define BODY_STRIDE \
    ((sizeof(struct linn_body) + STORAGE_BYTES + 4095) / 4096 * 4096)

#define SEGMENT_BYTES ((size_t)SEGMENT_BODIES * BODY_STRIDE)

/* ATOMIC segments[i], 16 bodies; set once
 *   CB.N1 install  cas   release  pairs CB.H1  zeroed memory
 *   CB.H1 find     load  acquire  pairs CB.N1
 * ATOMIC body_limit, one past the highest body handed out
 *   CB.H2 look     load  relaxed  hint; CB.C1 decides
 *   CB.C1 bump     cas   relaxed  the number is the whole meaning */
static sync_ptr segments[SEGMENTS];
static sync_u32 body_limit;
static struct linn_tagged_stack free_bodies;
static struct linn_section bodies_section; /* unused but in the twin */

static struct linn_body *body_at(uint32_t index) {
    /* CB.H1 acquire, pairs with CB.N1. */
    char *segment =
        (char *)sync_ptr_load_acquire(&segments[index / SEGMENT_BODIES]);
    if (segment == NULL) return NULL;
    size_t offset = index % SEGMENT_BODIES * BODY_STRIDE;
    return (struct linn_body *)(void *)(segment + offset);
}

static bool segment_install(uint32_t index) {
    if (body_at(index) != NULL) return true;
    void *fresh = linn_page_source_reserve(SEGMENT_BYTES);
    if (fresh == NULL) return false;
    void *seen = NULL;
    /* CB.N1 release, pairs with CB.H1. */
    if (!sync_ptr_cas_release_relaxed(&segments[index / SEGMENT_BODIES], &seen,
                                      fresh)) {
        linn_page_source_unmap(fresh, SEGMENT_BYTES);
    }
    return true;
}

/* A FREE body that nobody else has; NULL when there is none or no memory. */
static struct linn_body *body_take(void) {
    linn_section_enter(&bodies_section);
    struct linn_stack_node *node = linn_tagged_stack_pop(&free_bodies);
    linn_section_leave(&bodies_section);
    if (node != NULL) {
        return (struct linn_body *)(void *)((char *)node -
                                            offsetof(struct linn_body, node));
    }
    uint32_t index = sync_u32_load_relaxed(&body_limit); /* CB.H2 */
    do {
        if (index == BODIES_MAX || !segment_install(index)) return NULL;
        /* CB.C1 relaxed: the segment is published by CB.N1. */
    } while (!sync_u32_cas_relaxed_relaxed(&body_limit, &index, index + 1));
    struct linn_body *body = body_at(index);
    body->index = index;
    return body;
}

static void body_give(struct linn_body *body) {
    linn_section_enter(&bodies_section);
    linn_tagged_stack_push(&free_bodies, &body->node);
    linn_section_leave(&bodies_section);
}

static struct linn_pool_core *pool_of(const struct linn_body *body) {
    return (struct linn_pool_core *)sync_ptr_load_relaxed(
        &body->pool); /* TC.P2 */
}

/* ---- magazines ---- */

static uint32_t magazine_count(const struct linn_magazine *m) {
    return (uint32_t)sync_u64_load_relaxed(&m->count); /* MG.L1 */
}

static void *magazine_pop(struct linn_magazine *m) {
    uint32_t n = magazine_count(m);
    void *block = sync_ptr_load_relaxed(&m->slot[n - 1]); /* MG.L1 */
    sync_u64_store_relaxed(&m->count, n - 1);             /* MG.S1 */
    return block;
}

static void magazine_push(struct linn_magazine *m, void *block) {
    uint32_t n = magazine_count(m);
    sync_ptr_store_relaxed(&m->slot[n], block); /* MG.S1 */
    sync_compiler_barrier();                    /* slot, then count */
    sync_u64_store_relaxed(&m->count, n + 1);   /* MG.S1 */
}

/* Empties a magazine into out: the count is written before the blocks go
 * anywhere (T1). */
static uint32_t magazine_take_all(struct linn_magazine *m, void **out) {
    uint32_t n = magazine_count(m);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = sync_ptr_load_relaxed(&m->slot[i]); /* MG.L1 */
    }
    if (n == 0) return 0; /* and leave a page that was never touched alone */
    sync_u64_store_relaxed(&m->count, 0); /* MG.S1 */
    sync_compiler_barrier();
    return n;
}

/* The two magazines of a class lie at a fixed place of the body: so an adopter
 * finds them without the owner's pointers, which may be half swapped. */
static struct linn_magazine *magazine_at(struct linn_body *body,
                                         const struct linn_pool_core *core,
                                         uint32_t c, uint32_t half) {
    size_t bytes = linn_magazine_bytes(core->geometry.of[c].batch);
    return (struct linn_magazine *)(void *)(body->storage +
                                            core->magazine_offset[c] +
                                            half * bytes);
}

/* A pool's word: no two pools have the same while one of them has bodies. */
static uint64_t layout_of(const struct linn_pool_core *core) {
    /* PC.H1 acquire, pairs with PC.L1. */
    uint64_t word = sync_u64_load_acquire(&core->word);
    return (word & ~UINT64_C(0xff)) | core->id; /* its generation and number */
}

/* Fresh storage is all zero, and a body that ended left its magazines empty and
 * without limits: then nothing is written, and no page touched, before a class is
 * used.  Another pool's classes lie elsewhere, among old slots. */
static void lay_out_magazines(struct linn_body *body,
                              const struct linn_pool_core *core) {
    uint64_t layout = layout_of(core);
    bool other = body->layout != 0 && body->layout != layout;
    body->layout = layout;
    body->loaded[0] = body->previous[0] = &no_magazine;
    for (uint32_t c = 1; c <= core->geometry.classes; c++) {
        struct linn_magazine *m[2] = {magazine_at(body, core, c, 0),
                                      magazine_at(body, core, c, 1)};
        for (int half = 0; half < 2; half++) {
            if (other) {
                sync_u64_store_relaxed(&m[half]->count, 0); /* MG.S1 */
                m[half]->limit = 0;
            }
            LINN_ASSERT(magazine_count(m[half]) == 0 && m[half]->limit == 0);
        }
        body->loaded[c] = m[0];
        body->previous[c] = m[1];
        body->visits[c] = 0;
        body->since[c] = 0;
        body->marks[c] = 0;
        body->frees[c] = 0;
    }
}

/* Gives everything in the magazines back.  Of a body that only the caller may
 * touch (T3). */
static void empty_magazines(struct linn_body *body) {
    struct linn_pool_core *core = pool_of(body);
    void *blocks[LINN_MAGAZINE_MAX];
    for (uint32_t i = 2; i < 2 * (core->geometry.classes + 1); i++) {
        struct linn_magazine *m = magazine_at(body, core, i / 2, i % 2);
        uint32_t n = magazine_take_all(m, blocks);
        if (m->limit != 0) m->limit = 0;
        if (n == 0) continue;
        uint32_t given =
            linn_arena_give(core, i / 2, blocks, n, LINN_NAME_OF(free));
        linn_tally_own(&body->tally, LINN_TALLY_FLUSHED, given);
        linn_tally_own(&body->tally, LINN_TALLY_FLUSHES, 1);
    }
}

/* ---- figures ---- */

/* `operations` from now on until the next sweep. */
static void set_window(struct linn_body *body, uint64_t operations) {
    sync_u64_store_relaxed(&body->window, operations); /* TC.L1 */
    sync_u64_store_relaxed(&body->left, operations);   /* TC.L1 */
}

/* The fast path counts `left` down for each hit, and for the call that finds it 0
 * and comes to the slow path. */
static uint64_t hits_since_sweep(const struct linn_body *body) {
    uint64_t window = sync_u64_load_relaxed(&body->window); /* TC.L2 */
    uint64_t left = sync_u64_load_relaxed(&body->left);     /* TC.L2 */
    if (left == 0 && window > 0) left = 1;
    return window - left;
}

/* Moves a body's figures to its pool.  What went into magazines by frees is not
 * counted on the hot path; it follows from the rest:
 *     stored = hits + flushed + now cached - refilled */
static void fold_tally(struct linn_body *body) {
    struct linn_pool_core *core = pool_of(body);
    struct linn_tally *t = &body->tally;
    linn_tally_own(t, LINN_TALLY_HITS, hits_since_sweep(body));
    linn_tally_own(t, LINN_TALLY_STORED,
                   linn_tally_read(t, LINN_TALLY_HITS) +
                       linn_tally_read(t, LINN_TALLY_FLUSHED) -
                       linn_tally_read(t, LINN_TALLY_REFILLED));
    for (int f = 0; f < LINN_TALLY_FIELDS; f++) {
        uint64_t n = linn_tally_read(t, (enum linn_tally_field)f);
        if (n != 0) linn_tally_add(&core->tally, (enum linn_tally_field)f, n);
        sync_u64_store_relaxed(&t->field[f], 0); /* TY.Z1 */
    }
    set_window(body, 0);
}

/* ---- a body's life ---- */

static struct linn_arena *least_used(struct linn_pool_core *core,
                                     struct linn_thread *me) {
    if (me != NULL) linn_reclaim_enter(me);
    struct linn_arena_set *set =
        (struct linn_arena_set *)linn_reclaim_read(&core->published);
    struct linn_arena *best = NULL;
    uint32_t fewest = UINT32_MAX;
    for (uint32_t i = 0; set != NULL && i < set->count; i++) {
        uint32_t n = sync_u32_load_relaxed(&set->arena[i]->threads); /* AR.T3 */
        if (n >= fewest) continue;
        fewest = n;
        best = set->arena[i];
    }
    if (me != NULL) linn_reclaim_leave(me);
    return best;
}

static void arena_bind(struct linn_arena *arena) {
    (void)sync_u32_fetch_add_relaxed(&arena->threads, 1); /* AR.T1 */
}

static void arena_unbind(struct linn_arena *arena) {
    (void)sync_u32_fetch_add_relaxed(&arena->threads, UINT32_MAX); /* AR.T2 */
}

/* The body is TAKEN by the caller: drains it and sets it free. */
static void body_end(struct linn_body *body) {
    empty_magazines(body);
    fold_tally(body);
    if (body->arena != NULL) arena_unbind(body->arena);
    body->arena = NULL;
    uint64_t ctl = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
    /* TC.F1 release, pairs with TC.O1 and TC.H1: the magazines are empty. */
    sync_u64_store_release(&body->ctl, next_life(ctl));
    body_give(body);
}

/* One CAS from what was seen to TAKEN by `who`. */
static bool body_seize(struct linn_body *body, uint64_t seen, uint32_t who) {
    uint64_t next = with_who(with_state(seen, LINN_BODY_TAKEN), who);
    /* TC.C3 acq_rel, pairs with TC.O1: the body is as its owner began it.  What the
     * owner did since comes with TC.T1, or it is dead. */
    return sync_u64_cas_acq_rel_relaxed(&body->ctl, &seen, next);
}

/* A fresh body for the calling thread; its ctl, or 0 when there is none. */
static uint64_t body_begin(struct linn_caches *state,
                           struct linn_pool_core *core,
                           struct linn_body **out) {
    struct linn_arena *arena = least_used(core, record_of(state));
    if (arena == NULL) return 0;
    struct linn_body *body = body_take();
    if (body == NULL) return 0;
    sync_ptr_store_relaxed(&body->pool, core); /* TC.P1 */
    lay_out_magazines(body, core);
    body->granted = 0;
    set_window(body, core->options.cache_sweep);
    body->arena = arena;
    uint64_t seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
    uint64_t mine = with_who(with_state(seen, LINN_BODY_OWNED), name_of(state));
    /* Without membarrier no `mine` equals a ctl, so every operation comes to the
     * slow path, which makes its busy word visible with an exchange. */
    uint64_t next = linn_asym_available() ? mine : mine | FENCED;
    arena_bind(arena);
    /* TC.O1 acq_rel, pairs with TC.F1 and TC.H1. */
    bool ours = sync_u64_cas_acq_rel_relaxed(&body->ctl, &seen, next);
    LINN_CHECK(ours); /* who took it from the stack has it alone */
    *out = body;
    return mine;
}

static bool says_mine(uint64_t ctl, uint64_t mine) {
    return (ctl & ~FENCED) == mine;
}

static struct linn_pool_core *core_of(const struct linn_caches *state,
                                      const struct linn_ref *ref) {
    return &linn_pool_cores[ref - state->ref];
}

/* The calling thread, inside no operation on it, gives its body up.  If a thief
 * has it already, it stays the thief's.  The thief may be done with it by now, and
 * it may be this thread's again, for another pool: then it is not this ref's. */
static void ref_drop(struct linn_caches *state, struct linn_ref *ref) {
    struct linn_body *body = ref->body;
    uint64_t seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
    while (who_of(seen) == name_of(state) &&
           pool_of(body) == core_of(state, ref) &&
           (state_of(seen) == LINN_BODY_OWNED ||
            state_of(seen) == LINN_BODY_REVOKED)) {
        if (body_seize(body, seen, name_of(state))) {
            body_end(body);
            break;
        }
        seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
    }
}

/* ---- threads ---- */

static void state_init(struct linn_caches *state) {
    for (uint32_t i = 0; i < LINN_POOLS_MAX; i++) {
        if (state->ref[i].body == NULL) continue;
        sync_u64_store_relaxed(&state->ref[i].mine, 0); /* TC.Z1 */
        state->ref[i].body = NULL;
    }
    state->ref[0].body = &no_body;
    sync_u32_store_relaxed(&state->inside, 0); /* TC.I1 */
    linn_descriptor_cache_begin(&state->descriptors);
}

/* Not NULL: the fast path that a handler has interrupted looks at the body without
 * asking whether there is one. */
static void ref_clear(struct linn_ref *ref) {
    ref->body = &no_body;
    ref->handle = NULL;
}

static bool ref_is_empty(const struct linn_ref *ref) {
    return ref->body == NULL || ref->body == &no_body;
}

static void drop_all(struct linn_caches *state) {
    for (uint32_t i = 0; i < LINN_POOLS_MAX; i++) {
        struct linn_ref *ref = &state->ref[i];
        if (ref_is_empty(ref)) continue;
        sync_u64_store_relaxed(&ref->mine, 0); /* TC.B1 */
        ref_drop(state, ref);
        ref_clear(ref);
    }
}

static void at_thread_exit(struct linn_thread *t) {
    struct linn_caches *state = (struct linn_caches *)linn_thread_payload(t);
    sync_u32_store_relaxed(&state->inside, 1); /* TC.I1 */
    drop_all(state);
    (void)linn_descriptor_enter(&state->descriptors); /* no handler, from now */
    linn_descriptor_cache_flush(&state->descriptors);
    linn_tls.caches = &linn_no_caches;
    sync_compiler_barrier(); /* no handler finds the record after it is given up */
    linn_thread_unregister(t);
}

void linn_thread_cache_start(void) {
    linn_thread_registry_init(sizeof(struct linn_caches));
    linn_thread_registry_at_exit(at_thread_exit);
}

/* Slow calls between two attempts of a thread that could not register.  Where all
 * records there can be are taken, an attempt looks at 65,536 of them. */
#define RETRY_CALLS      64
#define RETRY_CALLS_FULL 4096

static void try_register(void) {
    if (linn_thread_ended()) return;
    if (linn_tls.retry > 0) {
        linn_tls.retry--;
        return;
    }
    /* A handler that comes before the record is ready would get the same one, take
     * bodies with it, and lose them when we make it ready. */
    if (sync_u32_load_relaxed(&linn_tls.registering) != 0) return; /* TC.G2 */
    sync_u32_store_relaxed(&linn_tls.registering, 1);              /* TC.G1 */
    sync_compiler_barrier();
    /* One that came before that has done it all. */
    bool done = linn_tls.caches != &linn_no_caches;
    struct linn_thread *t = done ? NULL : linn_thread_register();
    if (t == NULL) {
        bool full = linn_thread_limit() == LINN_THREADS_MAX;
        if (!done) linn_tls.retry = full ? RETRY_CALLS_FULL : RETRY_CALLS;
    } else {
        struct linn_caches *state =
            (struct linn_caches *)linn_thread_payload(t);
        state_init(state);
        sync_compiler_barrier(); /* a handler finds it complete */
        linn_tls.caches = state;
    }
    sync_compiler_barrier();
    sync_u32_store_relaxed(&linn_tls.registering, 0); /* TC.G1 */
    if (t != NULL) (void)linn_cache_adopt(2);
}

/* The one thread that survived a fork: its record belongs to the parent's life.
 * Only when no frame below this one is inside an operation. */
static void after_fork(void) {
    struct linn_caches *old = linn_tls.caches;
    for (uint32_t i = 0; i < LINN_POOLS_MAX; i++) {
        struct linn_ref *ref = &old->ref[i];
        if (ref_is_empty(ref)) continue;
        if (sync_u64_load_relaxed(&ref->mine) == 0) return; /* TC.M1 */
    }
    if (!linn_descriptor_enter(&old->descriptors)) return;
    struct linn_thread *t = linn_thread_reregister(record_of(old));
    if (t == NULL) {
        linn_descriptor_leave(&old->descriptors);
        return;
    }
    drop_all(old);
    linn_descriptor_cache_flush(&old->descriptors);
    struct linn_caches *fresh = (struct linn_caches *)linn_thread_payload(t);
    state_init(fresh);
    sync_compiler_barrier();
    linn_tls.caches = fresh;
    linn_thread_open_adoption();
}

/* ---- one visit ---- */

/* T2 and the magazines' counts, for the paranoid build: the caller owns the body.
 * (A block that lies there twice is its user's double free, and is reported as
 * such when it is flushed.) */
static bool body_is_valid(const struct linn_body *body,
                          const struct linn_pool_core *core) {
    size_t granted = 0;
    for (uint32_t c = 1; c <= core->geometry.classes; c++) {
        const struct linn_magazine *loaded = body->loaded[c];
        const struct linn_magazine *previous = body->previous[c];
        if (loaded->limit != previous->limit) return false;
        if (loaded->limit > core->geometry.of[c].batch) return false;
        if (magazine_count(loaded) > loaded->limit) return false;
        if (magazine_count(previous) > previous->limit) return false;
        granted += (size_t)2 * loaded->limit * core->geometry.of[c].size;
    }
    return granted == body->granted &&
           granted <= core->options.cache_bytes; /* T2 */
}

void linn_visit_enter(struct linn_visit *v, struct linn_pool_core *core,
                      uint64_t token, bool want_body) {
    v->body = NULL;
    v->ref = NULL;
    v->mine = 0;
    v->state = linn_tls.caches;
    if (v->state == &linn_no_caches) {
        try_register();
        v->state = linn_tls.caches;
        if (v->state == &linn_no_caches) return;
    }
    struct linn_ref *ref = &v->state->ref[core->id];
    if (sync_u32_load_relaxed(&v->state->inside) != 0) { /* TC.I2 */
        /* A handler in a slow path below, come here by the fast path of another
         * pool: its `mine` must not stay 0, or that cache is lost to its thread.
         * TC.E1 release, pairs with TC.T1. */
        if (token != 0) sync_u64_store_release(&ref->mine, token);
        return;
    }
    if (token == 0 && !ref_is_empty(ref)) {
        uint64_t mine = sync_u64_load_relaxed(&ref->mine); /* TC.M1 */
        if (mine == 0) return; /* a frame below is inside the fast path */
        token = mine;
        sync_u64_store_relaxed(&ref->mine, 0); /* TC.B1 */
    }
    sync_u32_store_relaxed(&v->state->inside, 1); /* TC.I1 */
    sync_compiler_barrier();
    v->ref = ref;
    v->mine = token;
    if (linn_thread_is_stale(record_of(v->state))) {
        /* TC.E1 release, pairs with TC.T1: until the record is moved we are in no
         * magazine. */
        sync_u64_store_release(&ref->mine, token);
        after_fork();
        sync_u64_store_relaxed(&ref->mine, 0); /* TC.B1 */
        if (linn_tls.caches != v->state) {
            v->state = linn_tls.caches;
            sync_u32_store_relaxed(&v->state->inside, 1); /* TC.I1 */
            ref = &v->state->ref[core->id];
            v->ref = ref;
            v->mine = 0;
        }
    }
    if (!ref_is_empty(ref)) {
        if (linn_asym_available()) {
            linn_asym_light();
        } else {
            /* TC.B2 acq_rel, a full barrier on this machine. */
            (void)sync_u64_exchange_acq_rel(&ref->mine, 0);
        }
        uint64_t ctl = sync_u64_load_acquire(&ref->body->ctl); /* TC.H1 */
        if (says_mine(ctl, v->mine) && ref->handle == core->handle) {
            v->body = ref->body;
            LINN_INVARIANT(body_is_valid(v->body, core));
            return;
        }
        ref_drop(v->state, ref); /* revoked, or of a pool that is gone */
        ref_clear(ref);
        v->mine = 0;
    }
    if (!want_body) return;
    struct linn_body *body = NULL;
    uint64_t mine = body_begin(v->state, core, &body);
    if (mine == 0) return;
    v->mine = mine;
    ref->body = body;
    ref->handle = core->handle;
    v->body = body;
}

void linn_visit_leave(struct linn_visit *v) {
    if (v->ref == NULL) return;
    /* TC.E1 release, pairs with TC.T1: our accesses to the magazines are done. */
    sync_u64_store_release(&v->ref->mine, v->mine);
    sync_compiler_barrier();
    sync_u32_store_relaxed(&v->state->inside, 0); /* TC.I1 */
}

struct linn_arena *linn_visit_arena(const struct linn_visit *v,
                                    struct linn_pool_core *core) {
    if (v->body != NULL) return v->body->arena;
    /* Spread by thread: the address of a thread's own word is as good as any. */
    uintptr_t spread = (uintptr_t)&linn_tls >> 12;
    uint32_t n = core->set.count;
    return n == 0 ? NULL : core->set.arena[spread % n];
}

static void count(struct linn_visit *v, struct linn_pool_core *core,
                  enum linn_tally_field field, uint64_t n) {
    if (v->body != NULL) {
        linn_tally_own(&v->body->tally, field, n);
    } else {
        linn_tally_add(&core->tally, field, n);
    }
}

/* ---- limits ---- */

static uint32_t limit_max(const struct linn_size_class *k) {
    if (k->cache_max == 0) return 0;
    uint32_t half = k->cache_max / 2;
    if (half == 0) half = 1;
    if (half > k->batch) half = k->batch;
    return half > LINN_MAGAZINE_MAX ? LINN_MAGAZINE_MAX : half;
}

static void set_limit(struct linn_body *body, const struct linn_size_class *k,
                      uint32_t c, uint32_t limit) {
    body->granted -= (size_t)2 * body->loaded[c]->limit * k->size;
    body->granted += (size_t)2 * limit * k->size; /* T2 */
    body->loaded[c]->limit = limit;
    body->previous[c]->limit = limit;
}

static void flush(struct linn_visit *v, struct linn_pool_core *core, uint32_t c,
                  struct linn_magazine *m) {
    void *blocks[LINN_MAGAZINE_MAX];
    uint32_t n = magazine_take_all(m, blocks);
    if (n == 0) return;
    /* A block that was free already is not counted: its second free was none. */
    uint32_t given = linn_arena_give(core, c, blocks, n, LINN_NAME_OF(free));
    count(v, core, LINN_TALLY_FLUSHED, given);
    count(v, core, LINN_TALLY_FLUSHES, 1);
}

static size_t bytes_of_limit(const struct linn_pool_core *core, uint32_t c,
                             uint64_t limit) {
    return (size_t)2 * limit * core->geometry.of[c].size;
}

/* Visits of late. */
static uint32_t recent(const struct linn_body *body, uint32_t c) {
    return body->visits[c] - body->since[c];
}

static void set_recent(struct linn_body *body, uint32_t c, uint32_t n) {
    body->since[c] = body->visits[c] - n;
}

/* What counts of late: half of it goes when it is this much. */
#define RECENT_MAX 1024

static void age(struct linn_body *body, uint32_t classes) {
    uint32_t sum = 0;
    for (uint32_t c = 1; c <= classes; c++)
        sum += recent(body, c);
    if (sum < RECENT_MAX) return;
    for (uint32_t c = 1; c <= classes; c++)
        set_recent(body, c, recent(body, c) / 2);
}

/* A class of which blocks come and go at random is visited in inverse proportion
 * to the square of its limit; so what a byte more or less changes is its visits per
 * byte.  One class takes from another when that is four times as little there: the
 * visits to come, four times as many here and a quarter there, then do not turn it
 * around. */
#define TAKES_FROM_TIMES 4

/* Halves the limit of the class with the fewest visits per byte, if it has few
 * enough for class c, which wants to come to `bytes`. */
static bool take_from_the_idlest(struct linn_visit *v,
                                 struct linn_pool_core *core, uint32_t c,
                                 size_t bytes) {
    struct linn_body *body = v->body;
    uint32_t idlest = 0;
    uint64_t fewest = recent(body, c);
    uint64_t of = (uint64_t)bytes * TAKES_FROM_TIMES;
    for (uint32_t i = 1; i <= core->geometry.classes; i++) {
        uint64_t limit = body->loaded[i]->limit;
        if (limit == 0 || i == c) continue;
        uint64_t has = bytes_of_limit(core, i, limit);
        /* One more, so that of those that nobody visits the one with the most
         * bytes is the idlest, and little ones keep what costs little. */
        uint64_t visits = (uint64_t)recent(body, i) + 1;
        if (visits * of >= fewest * has) continue;
        fewest = visits;
        of = has;
        idlest = i;
    }
    if (idlest == 0) return false;
    flush(v, core, idlest, body->loaded[idlest]);
    flush(v, core, idlest, body->previous[idlest]);
    set_limit(body, &core->geometry.of[idlest], idlest,
              (uint32_t)body->loaded[idlest]->limit / 2);
    set_recent(body, idlest, recent(body, idlest) * 4);
    return true;
}

/* Looking at all classes costs as much as a refill, so a class that has no room
 * asks at one visit in so many. */
#define VISITS_PER_ASKING 32

/* Takes from others until `more` bytes are there, or nobody has some to spare. */
static void ask_for(struct linn_visit *v, struct linn_pool_core *core,
                    uint32_t c, size_t more, size_t bytes) {
    struct linn_body *body = v->body;
    age(body, core->geometry.classes);
    while (core->options.cache_bytes - body->granted < more) {
        if (!take_from_the_idlest(v, core, c, bytes)) return;
    }
}

/* A class that is visited gets room: a quarter of its batch at first, then twice
 * as much each time, as far as the thread's bytes go (T2). */
static void raise_limit(struct linn_visit *v, struct linn_pool_core *core,
                        uint32_t c) {
    struct linn_body *body = v->body;
    const struct linn_size_class *k = &core->geometry.of[c];
    uint32_t now = (uint32_t)body->loaded[c]->limit;
    uint32_t max = limit_max(k);
    if (now >= max) return;
    uint32_t next = now == 0 ? (max + 3) / 4 : now * 2;
    if (next > max) next = max;
    size_t more = bytes_of_limit(core, c, next - now);
    if (core->options.cache_bytes - body->granted < more) {
        if (body->visits[c] % VISITS_PER_ASKING == 0) {
            ask_for(v, core, c, more, bytes_of_limit(core, c, next));
        }
        size_t room = core->options.cache_bytes - body->granted;
        if (room < more) {
            next = now + (uint32_t)(room / bytes_of_limit(core, c, 1));
        }
        if (next == now) return;
    }
    set_limit(body, k, c, next);
    set_recent(body, c, recent(body, c) / 4);
}

/* Classes that nobody visited and whose contents are as they were at the last
 * sweep give back what they hold, and their share of the bytes. */
static void sweep(struct linn_visit *v, struct linn_pool_core *core) {
    struct linn_body *body = v->body;
    for (uint32_t c = 1; c <= core->geometry.classes; c++) {
        if (body->loaded[c]->limit == 0) continue;
        uint32_t mark = body->visits[c] << 8 ^ magazine_count(body->loaded[c]);
        bool idle = mark == body->marks[c];
        body->marks[c] = mark;
        if (!idle) continue;
        flush(v, core, c, body->loaded[c]);
        flush(v, core, c, body->previous[c]);
        set_limit(body, &core->geometry.of[c], c, 0);
    }
    linn_tally_own(&body->tally, LINN_TALLY_HITS, hits_since_sweep(body));
    set_window(body, core->options.cache_sweep);
}

/* ---- alloc and free ---- */

static void swap_magazines(struct linn_body *body, uint32_t c) {
    struct linn_magazine *m = body->loaded[c];
    body->loaded[c] = body->previous[c];
    body->previous[c] = m;
}

/* From this arena, else from any other; NULL when none has room. */
static uint32_t take_anywhere(struct linn_visit *v, struct linn_pool_core *core,
                              uint32_t c, uint32_t want, void **out) {
    struct linn_arena *own = linn_visit_arena(v, core);
    if (own == NULL) return 0;
    uint32_t n = linn_arena_take(own, c, want, true, out);
    for (uint32_t i = 0; n == 0 && i < core->set.count; i++) {
        if (core->set.arena[i] == own) continue;
        n = linn_arena_take(core->set.arena[i], c, 1, false, out);
    }
    return n;
}

static void *alloc_one(struct linn_visit *v, struct linn_pool_core *core,
                       uint32_t c) {
    void *block;
    if (take_anywhere(v, core, c, 1, &block) == 0) return NULL;
    count(v, core, LINN_TALLY_ALLOCATIONS, 1);
    return block;
}

void *linn_cache_alloc(struct linn_visit *v, struct linn_pool_core *core,
                       uint32_t c) {
    struct linn_body *body = v->body;
    if (body == NULL) return alloc_one(v, core, c);
    if (sync_u64_load_relaxed(&body->left) == 0) sweep(v, core); /* TC.L2 */
    if (core->geometry.of[c].cache_max == 0) return alloc_one(v, core, c);
    body->visits[c]++;
    body->frees[c] = 0;
    if (magazine_count(body->loaded[c]) == 0) {
        if (magazine_count(body->previous[c]) > 0) {
            swap_magazines(body, c);
        } else {
            raise_limit(v, core, c);
        }
    }
    struct linn_magazine *m = body->loaded[c];
    if (magazine_count(m) > 0) {
        count(v, core, LINN_TALLY_HITS, 1);
        return magazine_pop(m);
    }
    if (m->limit == 0) return alloc_one(v, core, c);
    void *blocks[LINN_MAGAZINE_MAX];
    uint32_t n = take_anywhere(v, core, c, (uint32_t)m->limit, blocks);
    if (n == 0) return NULL;
    count(v, core, LINN_TALLY_ALLOCATIONS, 1);
    if (n == 1) return blocks[0];
    count(v, core, LINN_TALLY_REFILLED, n - 1);
    count(v, core, LINN_TALLY_REFILLS, 1);
    /* The first goes to the caller, the others so that they leave in order. */
    for (uint32_t i = n - 1; i > 0; i--)
        magazine_push(m, blocks[i]);
    return blocks[0];
}

/* Visits by frees in a row after which a thread counts as one that only frees. */
#define ONLY_FREES 3

/* Makes room in the loaded magazine, if the class may be cached at all.  A thread
 * that only frees keeps nothing but what it is about to free: it holds one batch
 * and no more. */
static void make_room(struct linn_visit *v, struct linn_pool_core *core,
                      uint32_t c) {
    struct linn_body *body = v->body;
    if (magazine_count(body->loaded[c]) < body->loaded[c]->limit) return;
    raise_limit(v, core, c);
    if (magazine_count(body->loaded[c]) < body->loaded[c]->limit) return;
    if (body->frees[c] < ONLY_FREES) body->frees[c]++;
    flush(v, core, c, body->previous[c]);
    if (body->frees[c] == ONLY_FREES) {
        flush(v, core, c, body->loaded[c]);
    } else {
        swap_magazines(body, c);
    }
}

bool linn_cache_free(struct linn_visit *v, struct linn_pool_core *core,
                     uint32_t c, void *block, const char *function) {
    struct linn_body *body = v->body;
    *(uint64_t *)block = LINN_FREED_KEY; /* so that a second free is seen */
    if (body != NULL && core->geometry.of[c].cache_max != 0) {
        body->visits[c]++;
        make_room(v, core, c);
        struct linn_magazine *m = body->loaded[c];
        if (magazine_count(m) < m->limit) {
            magazine_push(m, block);
            return true;
        }
    }
    if (linn_arena_give(core, c, &block, 1, function) == 0) return false;
    count(v, core, LINN_TALLY_FREES, 1);
    return true;
}

/* ---- other threads' caches ---- */

bool linn_cache_flush_own(void) {
    struct linn_caches *state = linn_tls.caches;
    if (state == &linn_no_caches) return false;
    if (linn_descriptor_enter(&state->descriptors)) {
        linn_descriptor_cache_flush(&state->descriptors);
        linn_descriptor_leave(&state->descriptors);
    }
    bool any = false;
    for (uint32_t i = 0; i < LINN_POOLS_MAX; i++) {
        struct linn_ref *ref = &state->ref[i];
        if (ref_is_empty(ref)) continue;
        struct linn_pool_core *core = core_of(state, ref);
        struct linn_visit v;
        linn_visit_enter(&v, core, 0, false);
        if (v.body != NULL) {
            any = true;
            for (uint32_t c = 1; c <= core->geometry.classes; c++) {
                flush(&v, core, c, v.body->loaded[c]);
                flush(&v, core, c, v.body->previous[c]);
            }
        }
        linn_visit_leave(&v);
    }
    return any;
}

static uint32_t limit_of_bodies(void) {
    return sync_u32_load_relaxed(&body_limit); /* CB.H2 */
}

/* Whether the owner of a revoked body is inside an operation on it. */
static bool owner_is_inside(uint64_t ctl, const struct linn_pool_core *core) {
    struct linn_thread *t = linn_thread_at(who_of(ctl) - 1);
    if (t == NULL) return false;
    struct linn_caches *state = (struct linn_caches *)linn_thread_payload(t);
    /* TC.T1 acquire, pairs with TC.E1: not inside, and what it did in the
     * magazines is done. */
    return sync_u64_load_acquire(&state->ref[core->id].mine) == 0;
}

/* A body that is REVOKED, and the ctl that says so: what a thief may take after its
 * barrier is that and nothing else.  (A body that another thief revoked later, in
 * its owner's next life with it, would be taken while the owner's "busy" is still
 * in its store buffer: TLC, 44 states.) */
struct revoked {
    struct linn_body *body;
    uint64_t ctl;
};
#define REVOKED_AT_ONCE 64

/* Takes what can be taken of `n` revoked bodies; the number left. */
static uint32_t take_revoked(const struct revoked *revoked, uint32_t n,
                             uint32_t me) {
    if (n == 0) return 0;
    if (!linn_asym_heavy()) return n;
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct linn_body *body = revoked[i].body;
        struct linn_pool_core *of = pool_of(body);
        if (owner_is_inside(revoked[i].ctl, of) ||
            !body_seize(body, revoked[i].ctl, me)) {
            left++;
            continue;
        }
        linn_tally_add(&of->tally, LINN_TALLY_DRAINS, 1);
        body_end(body);
    }
    return left;
}

uint32_t linn_cache_drain_all(struct linn_pool_core *core) {
    /* The thief's own cache first, so that a stopped thief holds one cache. */
    (void)linn_cache_flush_own();
    if (linn_tls.caches == &linn_no_caches) try_register();
    struct linn_caches *caches = linn_tls.caches;
    if (caches == &linn_no_caches) return limit_of_bodies(); /* no name */
    uint32_t me = name_of(caches);
    struct revoked revoked[REVOKED_AT_ONCE];
    uint32_t n = 0, left = 0;
    uint32_t limit = limit_of_bodies();
    for (uint32_t i = 0; i < limit; i++) {
        struct linn_body *body = body_at(i);
        uint64_t seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
        uint32_t state = state_of(seen);
        if (state != LINN_BODY_OWNED && state != LINN_BODY_REVOKED) continue;
        if (core != NULL && pool_of(body) != core) continue;
        uint64_t next = with_state(seen, LINN_BODY_REVOKED);
        /* TC.R1 relaxed: the owner sees it at its next look, after the heavy
         * barrier for certain. */
        if (state == LINN_BODY_OWNED &&
            !sync_u64_cas_relaxed_relaxed(&body->ctl, &seen, next)) {
            continue;
        }
        revoked[n].body = body;
        revoked[n].ctl = next;
        if (++n < REVOKED_AT_ONCE) continue;
        left += take_revoked(revoked, n, me);
        n = 0;
    }
    return left + take_revoked(revoked, n, me);
}

uint32_t linn_cache_end_all(struct linn_pool_core *core) {
    uint32_t limit = limit_of_bodies();
    uint32_t left = 0;
    for (uint32_t i = 0; i < limit; i++) {
        struct linn_body *body = body_at(i);
        uint64_t seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
        if (state_of(seen) == LINN_BODY_FREE || pool_of(body) != core) continue;
        if (state_of(seen) == LINN_BODY_TAKEN || !body_seize(body, seen, 0)) {
            left++;
            continue;
        }
        linn_tally_add(&core->tally, LINN_TALLY_DRAINS, 1);
        body_end(body);
    }
    return left;
}

/* The bodies of a dead thread, whatever state it left them in. */
static void seize_all_of(uint32_t dead, uint32_t me) {
    uint32_t limit = limit_of_bodies();
    for (uint32_t i = 0; i < limit; i++) {
        struct linn_body *body = body_at(i);
        uint64_t seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
        if (state_of(seen) == LINN_BODY_FREE || who_of(seen) != dead) continue;
        if (!body_seize(body, seen, me)) continue;
        linn_tally_add(&pool_of(body)->tally, LINN_TALLY_DRAINS, 1);
        body_end(body);
    }
}

uint32_t linn_cache_adopt(uint32_t records) {
    if (linn_tls.caches == &linn_no_caches) try_register();
    struct linn_caches *me = linn_tls.caches;
    if (me == &linn_no_caches) return 0;
    uint32_t limit = linn_thread_limit();
    if (records > limit) records = limit;
    uint32_t found = 0;
    for (uint32_t i = 0; i < records; i++) {
        uint32_t index = me->probe++ % limit;
        struct linn_thread *t = linn_thread_at(index);
        if (t == NULL || linn_thread_payload(t) == me) continue;
        if (!linn_thread_adopt_begin(t)) continue;
        seize_all_of(index + 1, name_of(me));
        linn_descriptor_cache_flush(
            &((struct linn_caches *)linn_thread_payload(t))->descriptors);
        state_init((struct linn_caches *)linn_thread_payload(t));
        linn_thread_adopt_end(t);
        found++;
    }
    return found;
}

bool linn_cache_holds_hint(struct linn_pool_core *core, uint32_t c,
                           const void *block) {
    uint32_t limit = limit_of_bodies();
    for (uint32_t i = 0; i < limit; i++) {
        struct linn_body *body = body_at(i);
        uint64_t seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
        if (state_of(seen) == LINN_BODY_FREE || pool_of(body) != core) continue;
        for (uint32_t half = 0; half < 2; half++) {
            struct linn_magazine *m = magazine_at(body, core, c, half);
            for (uint32_t s = 0; s < magazine_count(m); s++) {
                const void *in = sync_ptr_load_relaxed(&m->slot[s]); /* MG.L1 */
                if (in == block) return true;
            }
        }
    }
    return false;
}

uint32_t linn_cache_sum(struct linn_pool_core *core,
                        uint64_t sum[LINN_TALLY_FIELDS],
                        uint64_t *cached_blocks, uint64_t *cached_bytes) {
    for (int f = 0; f < LINN_TALLY_FIELDS; f++) {
        sum[f] = linn_tally_read(&core->tally, (enum linn_tally_field)f);
    }
    *cached_blocks = *cached_bytes = 0;
    uint32_t bodies = 0;
    uint32_t limit = limit_of_bodies();
    for (uint32_t i = 0; i < limit; i++) {
        struct linn_body *body = body_at(i);
        uint64_t seen = sync_u64_load_acquire(&body->ctl); /* TC.H1 */
        if (state_of(seen) == LINN_BODY_FREE || pool_of(body) != core) continue;
        bodies++;
        uint64_t cached = 0;
        for (uint32_t j = 2; j < 2 * (core->geometry.classes + 1); j++) {
            uint64_t n = magazine_count(magazine_at(body, core, j / 2, j % 2));
            cached += n;
            *cached_bytes += n * core->geometry.of[j / 2].size;
        }
        uint64_t of_body[LINN_TALLY_FIELDS];
        for (int f = 0; f < LINN_TALLY_FIELDS; f++) {
            of_body[f] =
                linn_tally_read(&body->tally, (enum linn_tally_field)f);
            sum[f] += of_body[f];
        }
        uint64_t hits = hits_since_sweep(body);
        sum[LINN_TALLY_HITS] += hits;
        sum[LINN_TALLY_STORED] += of_body[LINN_TALLY_HITS] + hits +
                                  of_body[LINN_TALLY_FLUSHED] + cached -
                                  of_body[LINN_TALLY_REFILLED];
        *cached_blocks += cached;
    }
    return bodies;
}
