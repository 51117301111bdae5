/* Histories of the whole: threads allocate blocks of every kind, hand some to one
 * another and free them.
 *
 * 1. No byte is handed out twice: the lives of all blocks, decided exactly.
 * 2. Refusals.  A pool of one chunk, from which the operating system refuses
 *    another, hands out a known number of blocks.  A call that is refused while
 *    nobody else was in a call must have found all of them handed out.  (While
 *    others are inside, what they hold in their hands cannot be had, and the
 *    refusal is counted as undecided.)  So that both come about, a call is made
 *    alone half of the time. */

#include <stdlib.h>

#include "alloc/linn.h"
#include "alloc/page_source.h"
#include "verify/histories/record.h"

#define THREADS     4
#define SLOTS       48
#define GENERATIONS 3

static linn_pool *pool;
static uint32_t calls_each;
static sync_ptr mailbox[THREADS]; /* struct block * */
static sync_u64 misuses, short_blocks;
static bool all_back = true; /* blocks, when a pool was destroyed */

static void on_misuse(const struct linn_misuse *misuse) {
    if (sync_u64_fetch_add_relaxed(&misuses, 1) == 0) {
        printf("%s\n", misuse->message);
    }
}

static linn_pool *make_pool(size_t arenas) {
    struct linn_options options = LINN_OPTIONS_INIT;
    options.arenas = arenas;
    options.chunk_order = 7; /* 1 MiB */
    options.cache_sweep = 512;
    linn_pool *made = linn_pool_create(&options, NULL, 0);
    must(made != NULL, "a pool is made");
    return made;
}

/* ---- 1 ---- */

struct block {
    void *p;
    struct linn_hold hold;
};

/* What a thread has freed, and what it still has. */
struct worker {
    pthread_t thread;
    uint32_t name;
    uint64_t random;
    struct block *slot[SLOTS];
    struct linn_hold *hold;
    size_t holds;
    size_t allocations, handed;
};

static uint32_t draw_size(uint64_t *random) {
    switch (draw(random, 16)) {
        case 0:
            return 1 + draw(random, 2000000); /* huge, half of them */
        case 1:
            return 1 + draw(random, 1000000); /* groups */
        case 2:
        case 3:
            return 1 + draw(random, 100000); /* runs */
        default:
            return 1 + draw(random, 4000); /* elements */
    }
}

/* The hold lasts from the answer to the question that ends it. */
static void end_block(struct worker *me, struct block *b) {
    touch(b->p);
    b->hold.until = invoke(&me->random);
    linn_free(b->p);
    (void)draw_stamp();
    me->hold[me->holds++] = b->hold;
    free(b);
}

static struct block *begin_block(struct worker *me) {
    struct block *b = must_have(1, sizeof *b);
    uint32_t size = draw_size(&me->random);
    if (size < sizeof(long)) size = sizeof(long);
    b->p = linn_alloc(pool, size);
    b->hold.from = draw_stamp();
    must(b->p != NULL, "memory");
    touch(b->p);
    b->hold.first = (uintptr_t)b->p;
    size_t usable = linn_usable_size(b->p);
    if (usable < size) sync_u64_fetch_add_relaxed(&short_blocks, 1);
    b->hold.end = b->hold.first + (usable < size ? size : usable);
    me->allocations++;
    return b;
}

static void *work(void *worker) {
    struct worker *me = worker;
    for (uint32_t i = 0; i < calls_each; i++) {
        struct block **slot = &me->slot[draw(&me->random, SLOTS)];
        if (*slot == NULL) {
            *slot = begin_block(me);
        } else if (draw(&me->random, 4) == 0) {
            /* To somebody else; what was in that box is this thread's now. */
            uint32_t to = draw(&me->random, THREADS);
            *slot = sync_ptr_exchange_acq_rel(&mailbox[to], *slot);
            me->handed++;
        } else {
            end_block(me, *slot);
            *slot = NULL;
        }
    }
    return NULL;
}

static bool lives_are_disjoint(size_t *lives, size_t *most) {
    static struct worker worker[THREADS];
    size_t handed = 0;
    pool = make_pool(2);
    for (uint32_t t = 0; t < THREADS; t++) {
        worker[t].name = t;
        worker[t].random = t + 1;
        worker[t].hold =
            must_have(GENERATIONS * calls_each + 2 * SLOTS + THREADS,
                      sizeof(struct linn_hold));
    }
    for (uint32_t g = 0; g < GENERATIONS; g++) { /* of threads */
        for (uint32_t t = 0; t < THREADS; t++)
            start(&worker[t].thread, work, &worker[t]);
        for (uint32_t t = 0; t < THREADS; t++)
            must(pthread_join(worker[t].thread, NULL) == 0, "a thread ends");
    }
    size_t n = 0;
    for (uint32_t t = 0; t < THREADS; t++) {
        for (uint32_t i = 0; i < SLOTS; i++) {
            if (worker[t].slot[i] != NULL) {
                end_block(&worker[t], worker[t].slot[i]);
            }
        }
        struct block *b = sync_ptr_exchange_acq_rel(&mailbox[t], NULL);
        if (b != NULL) end_block(&worker[t], b);
        n += worker[t].holds;
        handed += worker[t].handed;
    }
    struct linn_hold *hold = must_have(n, sizeof *hold);
    for (uint32_t t = 0, at = 0; t < THREADS; t++) {
        memcpy(hold + at, worker[t].hold, worker[t].holds * sizeof *hold);
        at += (uint32_t)worker[t].holds;
        free(worker[t].hold);
    }
    bool sound = holds_are_explained(hold, n, most);
    free(hold);
    *lives = n;
    size_t live = 0;
    bool ended = linn_pool_destroy(pool, &live);
    printf(
        "blocks: %u threads, %u of them new, %zu lives, %zu handed over, at "
        "most %zu at a time\n",
        THREADS, THREADS * (GENERATIONS - 1), n, handed, *most);
    if (!ended) printf("the pool still has %zu blocks\n", live);
    all_back = all_back && ended;
    must(handed >= n / 20, "floor: blocks handed over");
    return sound;
}

/* ---- 2 ---- */

#define PAGE     8192
#define CAPACITY 128 /* blocks of a page in a chunk of 1 MiB */

/* Allocations and frees of one size, as calls: kind 0 and 1, answer 0: refused. */
enum { ALLOC, FREE };

struct asker {
    pthread_t thread;
    uint32_t name;
    uint64_t random;
    size_t held[CAPACITY]; /* numbers of holds */
    uint32_t held_count;
    struct linn_hold *hold;
    size_t holds;
    struct linn_call *call;
    size_t calls;
};

static pthread_rwlock_t turn = PTHREAD_RWLOCK_INITIALIZER;

static void *ask(void *asker) {
    struct asker *me = asker;
    for (uint32_t i = 0; i < calls_each; i++) {
        bool alone = draw(&me->random, 2) == 0;
        bool more = i / 128 % 2 == 0; /* than one gives back, or less */
        bool give = me->held_count > 0 && draw(&me->random, 4) < (more ? 1 : 3);
        struct linn_call *call = &me->call[me->calls++];
        call->thread = me->name;
        call->kind = give ? FREE : ALLOC;
        call->answer = 1;
        int locked =
            alone ? pthread_rwlock_wrlock(&turn) : pthread_rwlock_rdlock(&turn);
        must(locked == 0, "one's turn");
        call->invoked = invoke(&me->random);
        void *p = NULL;
        if (give) {
            struct linn_hold *ends = &me->hold[me->held[--me->held_count]];
            ends->until = call->invoked;
            linn_free((void *)ends->first);
        } else {
            p = linn_alloc(pool, PAGE);
            call->answer = p != NULL;
        }
        call->answered = draw_stamp();
        pthread_rwlock_unlock(&turn);
        if (p == NULL) continue;
        me->hold[me->holds] = (struct linn_hold){
            (uintptr_t)p, (uintptr_t)p + PAGE, call->answered, UINT64_MAX};
        me->held[me->held_count++] = me->holds++;
        if (me->held_count == CAPACITY) break; /* more than there can be */
    }
    return NULL;
}

static int by_invocation(const void *a, const void *b) {
    const struct linn_call *x = a, *y = b;
    return x->invoked < y->invoked ? -1 : x->invoked > y->invoked;
}

/* In order of invocation.  False: a refusal that nothing excuses. */
static bool refusals_are_explained(const struct linn_call *call, size_t n,
                                   int32_t live, size_t *decided,
                                   size_t *undecided) {
    uint64_t latest = 0; /* answer so far */
    for (size_t i = 0; i < n; i++) {
        bool beside = call[i].invoked < latest ||
                      (i + 1 < n && call[i + 1].invoked < call[i].answered);
        if (call[i].answered > latest) latest = call[i].answered;
        if (call[i].kind == FREE) {
            live--;
        } else if (call[i].answer != 0) {
            live++;
        } else if (beside) {
            (*undecided)++;
        } else {
            /* All calls before are answered, so `live` is what is handed out. */
            (*decided)++;
            if (live != CAPACITY) {
                printf(
                    "NOT LINEARIZABLE: refused at %zu..%zu with %d of %d "
                    "blocks handed out and nobody else in a call\n",
                    (size_t)call[i].invoked, (size_t)call[i].answered, live,
                    CAPACITY);
                return false;
            }
        }
    }
    return true;
}

static bool refusals(size_t *decided, size_t *undecided) {
    static struct asker asker[THREADS];
    size_t calls = 0, holds = 0, most = 0;
    pool = make_pool(1);
    /* One stays, so that the chunk does; and the capacity is what it should be. */
    void *stays = linn_alloc(pool, PAGE), *all[CAPACITY];
    must(stays != NULL, "memory");
    linn_page_source_fail_always();
    uint32_t found = 0;
    while (found < CAPACITY && (all[found] = linn_alloc(pool, PAGE)) != NULL)
        found++;
    must(found == CAPACITY - 1, "one thread gets all blocks of the chunk");
    while (found > 0)
        linn_free(all[--found]);
    for (uint32_t t = 0; t < THREADS; t++) {
        asker[t].name = t;
        asker[t].random = t + 1;
        asker[t].call = must_have(calls_each, sizeof(struct linn_call));
        asker[t].hold = must_have(calls_each, sizeof(struct linn_hold));
        start(&asker[t].thread, ask, &asker[t]);
    }
    for (uint32_t t = 0; t < THREADS; t++) {
        must(pthread_join(asker[t].thread, NULL) == 0, "a thread ends");
        calls += asker[t].calls;
        holds += asker[t].holds;
    }
    linn_page_source_fail_never();
    struct linn_call *call = must_have(calls, sizeof *call);
    struct linn_hold *hold = must_have(holds, sizeof *hold);
    for (uint32_t t = 0, at = 0, from = 0; t < THREADS; t++) {
        struct asker *a = &asker[t];
        while (a->held_count > 0)
            linn_free((void *)a->hold[a->held[--a->held_count]].first);
        memcpy(call + at, a->call, a->calls * sizeof *call);
        memcpy(hold + from, a->hold, a->holds * sizeof *hold);
        at += (uint32_t)a->calls;
        from += (uint32_t)a->holds;
        free(a->call);
        free(a->hold);
    }
    linn_free(stays);
    qsort(call, calls, sizeof *call, by_invocation);
    bool sound = refusals_are_explained(call, calls, 1, decided, undecided);
    sound = holds_are_explained(hold, holds, &most) && sound;
    free(call);
    free(hold);
    size_t live = 0;
    bool ended = linn_pool_destroy(pool, &live);
    printf(
        "refusals: %zu calls, %zu blocks, %zu refused with nobody else inside "
        "(decided), %zu beside others (not)\n",
        calls, holds, *decided, *undecided);
    if (!ended) printf("the pool still has %zu blocks\n", live);
    all_back = all_back && ended;
    return sound;
}

int main(int argc, char **argv) {
    calls_each = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 8000;
    linn_set_misuse_handler(on_misuse);
    size_t lives = 0, most = 0, decided = 0, undecided = 0;
    bool sound = lives_are_disjoint(&lives, &most);
    sound = sound && refusals(&decided, &undecided);
    uint64_t wrong = sync_u64_load_relaxed(&misuses);
    uint64_t small = sync_u64_load_relaxed(&short_blocks);
    if (wrong + small > 0) {
        printf("%zu misuses reported, %zu blocks smaller than asked for\n",
               (size_t)wrong, (size_t)small);
    }
    if (!sound || !all_back || wrong + small > 0) return 1;
    must(lives >= (size_t)calls_each * 2, "floor: lives");
    must(most >= 80, "floor: blocks at a time");
    must(decided >= calls_each / 100, "floor: refusals decided");
    return 0;
}
