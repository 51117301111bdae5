#include "verify/probes/victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "alloc/chunk.h"
#include "alloc/linn.h"
#include "alloc/pool.h"
#include "alloc/pool_core.h"
#include "alloc/thread_cache.h"
#include "sync/reclaim.h"
#include "sync/thread_registry.h"

/* What the victim executes of this file: the tracer tells it from the library by
 * its section, and the functions call the library and nothing else. */
#define STEPPED __attribute__((section("linn_probe_text"), noinline))
extern const char __start_linn_probe_text[], __stop_linn_probe_text[];
extern const char __executable_start[], etext[];

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

static struct linn_probe_mail *mail;
static linn_pool *second_pool;

static void fail(const char *what, uint64_t detail) {
    if (sync_u32_load_relaxed(&mail->failed) != 0) return;
    (void)snprintf(mail->failure, sizeof mail->failure, "%s (%llu)", what,
                   (unsigned long long)detail);
    sync_u32_store_release(&mail->failed, 1);
}

static uint32_t thread_id(void) {
    return (uint32_t)syscall(SYS_gettid);
}

/* ---- blocks with canaries ---- */

struct held {
    uint64_t *block;
    size_t words;
    uint64_t value;
};

static bool hold(struct held *h, void *block, size_t size, uint64_t value) {
    h->block = block;
    if (block == NULL) {
        fail("no memory", size);
        return false;
    }
    h->words = size < 16 ? 1 : size / 8;
    h->value = value;
    h->block[0] = h->block[h->words - 1] = value;
    return true;
}

static void let_go(struct held *h) {
    if (h->block == NULL) return;
    if (h->block[0] != h->value || h->block[h->words - 1] != h->value) {
        fail("a canary was overwritten", h->value);
    }
    linn_free(h->block);
    h->block = NULL;
}

/* ---- bursts ---- */

static const size_t kSizes[] = {
    1,     64,       100,       500,    1000,   4096,    8192,
    20000, 64 * KIB, 128 * KIB, 200000, 400000, 1 * MIB, 3 * MIB,
};
#define SIZES  (sizeof kSizes / sizeof kSizes[0])
#define SMALLS 40
#define BURST  (SIZES + SMALLS + 1)

struct worker {
    uint32_t index;
    uint64_t bursts;
    struct held held[BURST];
};
static struct worker workers[LINN_PROBE_WORKERS];

/* What a worker leaves for the other one to free.  Card: the pointer is handed
 * over by an exchange on either side. */
struct parcel {
    uint32_t count;
    struct held held[BURST];
};
static sync_ptr parcels[LINN_PROBE_WORKERS];

static void made_progress(struct linn_probe_mailbox *box) {
    if (box == NULL) return;
    sync_u64_store_relaxed(&box->progress,
                           sync_u64_load_relaxed(&box->progress) + 1);
}

static void open_parcel(sync_ptr *from, struct linn_probe_mailbox *box) {
    struct parcel *p = sync_ptr_exchange_acq_rel(from, NULL);
    if (p == NULL) return;
    for (uint32_t i = 0; i < p->count; i++) {
        let_go(&p->held[i]);
        made_progress(box);
    }
    linn_free(p);
}

/* Allocates all sizes, and frees half; the other half goes to the other worker,
 * or is freed too when there is none (in a new thread, in a forked child). */
static void burst(struct held *held, uint64_t number, sync_ptr *to,
                  struct linn_probe_mailbox *box) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < SIZES; i++) {
        hold(&held[n++], linn_alloc(NULL, kSizes[i]), kSizes[i], number + i);
        made_progress(box);
    }
    size_t small = kSizes[number % 7];
    for (uint32_t i = 0; to != NULL && i < SMALLS; i++) {
        hold(&held[n++], linn_alloc(NULL, small), small, number + i);
        made_progress(box);
    }
    if (number % 16 == 0) {
        hold(&held[n++], linn_alloc(NULL, 17 * MIB), 17 * MIB, number);
        made_progress(box);
    }
    struct parcel *p = to == NULL ? NULL : linn_alloc(NULL, sizeof *p);
    if (p != NULL) p->count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (p != NULL && i % 2 == 1) {
            p->held[p->count++] = held[i];
        } else {
            let_go(&held[i]);
        }
        made_progress(box);
    }
    if (p == NULL) return;
    open_parcel(to, box); /* an old one that nobody came for */
    (void)sync_ptr_exchange_acq_rel(to, p);
}

static void *new_thread(void *argument) {
    struct linn_probe_mailbox *box = argument;
    sync_u32_store_release(&box->watched, thread_id());
    struct held held[BURST];
    burst(held, 7, NULL, box);
    /* And with something in the cache, that its end gives back. */
    linn_free(linn_alloc(NULL, 64));
    return NULL;
}

static void try_thread(struct linn_probe_mailbox *box) {
    sync_u32_store_release(&box->stage, LINN_PROBE_IN_THREAD);
    pthread_t t;
    if (pthread_create(&t, NULL, new_thread, box) != 0) {
        fail("pthread_create", 0);
        return;
    }
    (void)pthread_join(t, NULL);
}

static void try_fork(struct linn_probe_mailbox *box) {
    sync_u32_store_release(&box->stage, LINN_PROBE_IN_FORK);
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct held held[BURST];
        burst(held, 9, NULL, box);
        _exit(sync_u32_load_relaxed(&mail->failed) != 0);
    }
    if (child < 0) {
        fail("fork", 0);
        return;
    }
    sync_u32_store_release(&box->watched, (uint32_t)child);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) {
        fail("a forked child failed, status", (uint64_t)status);
    }
}

static void *work(void *argument) {
    struct worker *w = argument;
    struct linn_probe_mailbox *box = &mail->worker[w->index];
    box->tid = thread_id();
    uint32_t last = 0;
    for (;;) {
        sync_u32_store_release(&box->watched, box->tid);
        sync_u32_store_release(&box->done, last);
        linn_probe_wake(&box->done);
        uint32_t order;
        while ((order = sync_u32_load_acquire(&box->order)) == last) {
            (void)linn_probe_sleep_on(&box->order, last, 1000);
        }
        last = order;
        sync_u32_store_release(&box->stage, LINN_PROBE_IN_BURST);
        open_parcel(&parcels[1 - w->index], box);
        if (box->kind == LINN_PROBE_REST) {
            open_parcel(&parcels[w->index], box);
            (void)linn_thread_flush();
            continue;
        }
        burst(w->held, w->bursts++, &parcels[w->index], box);
        if (w->bursts % 8 == 0) (void)linn_thread_flush();
        if (box->kind != LINN_PROBE_ALL) continue;
        if (w->index == 0) {
            try_thread(box);
        } else {
            try_fork(box);
        }
    }
    return NULL;
}

/* ---- the victim ---- */

#define BLOCKS 512
static void *blocks[BLOCKS]; /* what the victim holds; freed after its end */
static size_t sizes_of[BLOCKS];

STEPPED static void *take(uint32_t i, size_t size) {
    sync_u64_store_relaxed(&mail->asked, size);
    sizes_of[i] = size;
    sync_compiler_barrier(); /* for who looks after a kill */
    void *p = linn_alloc(NULL, size);
    blocks[i] = p;
    sync_compiler_barrier();
    sync_u64_store_relaxed(&mail->asked, 0);
    return p;
}

STEPPED static void give(uint32_t i) {
    void *p = blocks[i];
    sync_u64_store_relaxed(&mail->asked, sizes_of[i]);
    sync_compiler_barrier();
    blocks[i] = NULL;
    linn_free(p);
    sync_u64_store_relaxed(&mail->asked, 0);
}

static struct linn_pool_core *core(void) {
    return &linn_pool_cores[0];
}

static void warm(void) {
    linn_free(linn_alloc(NULL, 100));
    linn_free(linn_alloc(NULL, 100));
}

static void warm_and_flush(void) {
    warm();
    linn_free(linn_alloc(NULL, 64));
    linn_free(linn_alloc(NULL, 8192));
    (void)linn_thread_flush();
}

static void hold_many(uint32_t n, size_t size) {
    for (uint32_t i = 0; i < n; i++)
        blocks[i] = linn_alloc(NULL, size);
}

static void hold_smalls(void) {
    hold_many(400, 64);
}
static void hold_pages(void) {
    hold_many(150, 8192);
}

static void fill_sizes(uint32_t sizes) {
    for (uint32_t i = 0; i < sizes; i++) {
        for (uint32_t n = 0; n < 6; n++)
            blocks[n] = linn_alloc(NULL, kSizes[i]);
        for (uint32_t n = 0; n < 6; n++) {
            linn_free(blocks[n]);
            blocks[n] = NULL;
        }
    }
}

static void fill_cache(void) {
    fill_sizes(SIZES - 4);
}

STEPPED static void run_pair(void) {
    take(0, 100);
    give(0);
}

STEPPED static void run_refill(void) {
    take(0, 64);
}

STEPPED static void run_refill_pages(void) {
    take(0, 8192);
}

STEPPED static void run_free_smalls(void) {
    for (uint32_t i = 0; i < 400; i++)
        give(i);
}

STEPPED static void run_free_pages(void) {
    for (uint32_t i = 0; i < 150; i++)
        give(i);
}

STEPPED static void run_run(void) {
    take(0, 200000);
    take(1, 40000);
    give(1);
    give(0);
}

STEPPED static void run_groups(void) {
    take(0, MIB);
    give(0);
}

STEPPED static void run_huge(void) {
    take(0, 20 * MIB);
    give(0);
}

STEPPED static void run_aligned(void) {
    sizes_of[0] = sizes_of[1] = MIB;
    sync_u64_store_relaxed(&mail->asked, MIB);
    sync_compiler_barrier();
    blocks[0] = linn_alloc_aligned(NULL, 4096, 100);
    blocks[1] = linn_alloc_aligned(NULL, MIB, 100);
    give(1);
    give(0);
}

static void hold_one(void) {
    blocks[0] = linn_alloc(NULL, 1000);
}

/* The block is in the table under its old address until the new one is there: who
 * is killed in between leaves it to be freed once, or not at all. */
STEPPED static void realloc_to(size_t size) {
    void *p = blocks[0];
    sync_u64_store_relaxed(&mail->asked, 300000);
    sync_compiler_barrier();
    blocks[0] = NULL;
    blocks[0] = linn_realloc(NULL, p, size);
    sync_compiler_barrier();
    sync_u64_store_relaxed(&mail->asked, 0);
}

STEPPED static void run_realloc(void) {
    realloc_to(1010);
    realloc_to(5000);
    realloc_to(300000);
    realloc_to(20);
}

STEPPED static void run_flush_own(void) {
    (void)linn_thread_flush();
}

STEPPED static void run_drain(void) {
    (void)linn_cache_drain_all(core());
}

static void *fill_and_die(void *unused) {
    fill_cache();
    (void)syscall(SYS_exit, 0);
    return unused;
}

static void leave_a_dead(void) {
    warm();
    pthread_t t;
    if (pthread_create(&t, NULL, fill_and_die, NULL) == 0)
        (void)pthread_join(t, NULL);
}

STEPPED static void run_adopt(void) {
    (void)linn_cache_adopt(LINN_THREADS_MAX);
}

static void empty_chunks(void) {
    hold_many(3, 15 * MIB);
    for (uint32_t i = 0; i < 3; i++) {
        linn_free(blocks[i]);
        blocks[i] = NULL;
    }
    hold_many(400, 1000); /* subpages that will be wholly free */
    for (uint32_t i = 0; i < 400; i++) {
        linn_free(blocks[i]);
        blocks[i] = NULL;
    }
    (void)linn_thread_flush();
}

STEPPED static void run_reclaim(void) {
    linn_pool_reclaim(core());
}

static void without_chunks(void) {
    warm();
    linn_pool_reclaim(core());
}

STEPPED static void run_birth(void) {
    take(0, 15 * MIB);
    take(1, 15 * MIB);
    give(0);
    give(1);
}

STEPPED static void run_second_pool(void) {
    blocks[0] = linn_alloc(second_pool, 100);
    blocks[1] = linn_alloc(second_pool, 200000);
    give(0);
    give(1);
}

STEPPED static void run_create(void) {
    linn_pool *p = linn_pool_create(NULL, NULL, 0);
    linn_free(linn_alloc(p, 100));
    (void)linn_pool_destroy(p, NULL);
}

STEPPED static void run_section(void) {
    struct linn_thread *t = linn_thread_own();
    if (t == NULL) return;
    linn_reclaim_enter(t);
    sync_u32_store_relaxed(&mail->in_section, 1);
    struct linn_grace g;
    linn_grace_start(&g);
    (void)linn_grace_poll(&g);
    take(0, 100);
    give(0);
    sync_u32_store_relaxed(&mail->in_section, 0);
    linn_reclaim_leave(t);
    (void)linn_grace_poll(&g);
}

STEPPED static void run_sizes(void) {
    (void)linn_good_size(NULL, 1000);
    (void)linn_usable_size(blocks[0]);
}

STEPPED static void run_figures(void) {
    struct linn_counters c;
    c.size = sizeof c;
    (void)linn_pool_counters(NULL, &c);
}

STEPPED static void run_misuse(void) {
    linn_free(blocks[0]);
    void *volatile again = blocks[0];
    blocks[0] = NULL;
    linn_free(again);
}

STEPPED static void run_nothing(void) {}

const struct linn_probe_operation linn_probe_operations[] = {
    {"cached pair", warm, run_pair, false, 0},
    {"refill", warm_and_flush, run_refill, false, LINN_PROBE_REFILLS},
    {"refill of pages", warm_and_flush, run_refill_pages, false,
     LINN_PROBE_REFILLS},
    {"flush", hold_smalls, run_free_smalls, false, LINN_PROBE_FLUSHES},
    {"flush of pages", hold_pages, run_free_pages, false, LINN_PROBE_FLUSHES},
    {"runs", warm, run_run, false, 0},
    {"groups", warm, run_groups, false, 0},
    {"huge", warm, run_huge, false, LINN_PROBE_HUGE},
    {"aligned", warm, run_aligned, false, 0},
    {"realloc", hold_one, run_realloc, false, 0},
    {"first use and exit", run_nothing, run_pair, true, 0},
    {"exit with a cache", fill_cache, run_nothing, true, LINN_PROBE_FLUSHES},
    {"flush of one's own", fill_cache, run_flush_own, false,
     LINN_PROBE_FLUSHES},
    {"drain of all", warm, run_drain, false, LINN_PROBE_DRAINS},
    {"adoption", leave_a_dead, run_adopt, false, LINN_PROBE_DRAINS},
    {"reclaim", empty_chunks, run_reclaim, false, LINN_PROBE_DIED},
    {"chunk birth", without_chunks, run_birth, false, LINN_PROBE_BORN},
    {"second pool", run_nothing, run_second_pool, false, 0},
    {"create and destroy", warm, run_create, false, 0},
    {"read section", warm, run_section, false, 0},
    {"sizes", hold_one, run_sizes, false, 0},
    {"counters", warm, run_figures, false, 0},
    {"double free", hold_one, run_misuse, false, 0},
};
const uint32_t linn_probe_operation_count =
    sizeof linn_probe_operations / sizeof linn_probe_operations[0];

STEPPED static void await_go(void) {
    while (sync_u32_load_acquire(&mail->go) == 0)
        __asm__ volatile("pause");
}

STEPPED static uint64_t next_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* For a kill: operations without end that leave the table of blocks as it was,
 * each from a random place of the table.  The dead's blocks are freed afterwards,
 * so what a thread holds here is its caller's and not lost. */
STEPPED static void run_random(uint64_t seed) {
    for (;;) {
        switch (next_random(&seed) >> 33 & 15) {
            case 0:
                run_pair();
                break;
            case 1:
                take(0, 64);
                give(0);
                break;
            case 2:
                take(0, 8192);
                take(1, 8192);
                give(0);
                give(1);
                break;
            case 3:
                for (uint32_t i = 0; i < 40; i++)
                    take(i, 1000);
                for (uint32_t i = 0; i < 40; i++)
                    give(i);
                break;
            case 4:
                run_run();
                break;
            case 5:
                run_groups();
                break;
            case 6:
                run_huge();
                break;
            case 7:
                run_aligned();
                break;
            case 8:
                take(0, 1000);
                run_realloc();
                give(0);
                break;
            case 9:
                run_flush_own();
                break;
            case 10:
                run_drain();
                break;
            case 11:
                run_adopt();
                break;
            case 12:
                run_reclaim();
                break;
            case 13:
                run_birth();
                break;
            default:
                run_section();
                break;
        }
    }
}

STEPPED static void *victim_main(void *argument) {
    uint64_t what = (uint64_t)(uintptr_t)argument;
    if ((what & 0xff) == LINN_PROBE_RANDOM) {
        uint64_t seed = what >> 8 | 1;
        /* One in four comes fresh, one in sixteen with all that a cache holds. */
        if ((what >> 8 & 3) != 0) fill_sizes(6);
        if ((what >> 8 & 15) == 1) fill_cache();
        sync_u32_store_release(&mail->victim, thread_id());
        linn_probe_wake(&mail->victim);
        await_go();
        seed *= UINT64_C(0x9e3779b97f4a7c15);
        run_random(seed);
    }
    const struct linn_probe_operation *o = &linn_probe_operations[what];
    o->prepare();
    sync_u32_store_release(&mail->victim, thread_id());
    linn_probe_wake(&mail->victim);
    await_go();
    o->run();
    sync_u32_store_release(&mail->finished, 1);
    return NULL;
}

/* Allocates and frees at the interrupted instruction, then tells the tracer. */
static void handler(int signal) {
    (void)signal;
    static const size_t sizes[] = {200, 3000, 16384, 250000, 2 * MIB};
    struct held held[5];
    for (uint32_t i = 0; i < 5; i++)
        hold(&held[i], linn_alloc(NULL, sizes[i]), sizes[i], 100 + i);
    for (uint32_t i = 0; i < 5; i++)
        let_go(&held[i]);
    sync_u32_store_release(&mail->handled,
                           sync_u32_load_relaxed(&mail->handled) + 1);
    __asm__ volatile("int3");
}

__attribute__((naked, section("linn_probe_text"))) static void exit_stub(void) {
    __asm__("mov $60, %eax\n\txor %edi, %edi\n\tsyscall\n\tud2");
}

/* ---- the controller ---- */

static void free_blocks(void) {
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (blocks[i] != NULL) linn_free(blocks[i]);
        blocks[i] = NULL;
    }
}

static void write_ledger(void) {
    struct linn_probe_ledger *l = &mail->ledger;
    struct linn_counters c;
    c.size = sizeof c;
    if (!linn_pool_counters(NULL, &c)) fail("counters", 0);
    l->live_blocks = c.live_blocks;
    l->cached_bytes = c.cached_bytes;
    l->held_bytes = c.held_bytes;
    l->used_bytes = 0;
    uint32_t slots = linn_chunk_slot_limit();
    for (uint32_t i = 0; i < slots; i++) {
        struct linn_chunk *chunk = linn_chunk_at(i);
        struct linn_guard g = linn_chunk_look(chunk);
        if (g.state == LINN_CHUNK_LIVE && chunk->pool == core()) {
            l->used_bytes += (uint64_t)g.used << core()->geometry.page_shift;
        }
        if (g.state == LINN_CHUNK_HUGE) l->used_bytes += chunk->bytes;
    }
    l->field[LINN_PROBE_REFILLS] = c.refills;
    l->field[LINN_PROBE_FLUSHES] = c.flushes;
    l->field[LINN_PROBE_DRAINS] = c.drains;
    l->field[LINN_PROBE_BORN] = c.chunks_born;
    l->field[LINN_PROBE_DIED] = c.chunks_died;
    l->field[LINN_PROBE_HUGE] =
        linn_tally_read(&core()->tally, LINN_TALLY_HUGE_BORN);
}

static void adopt(void) {
    struct linn_grace g;
    linn_grace_start(&g);
    mail->ledger.grace_open = !linn_grace_poll(&g);
    uint64_t found = 0;
    for (uint32_t n; (n = linn_cache_adopt(LINN_THREADS_MAX)) > 0;)
        found += n;
    mail->ledger.adopted = found;
    mail->ledger.grace_over = linn_grace_poll(&g);
    linn_pool_reclaim(core());
    write_ledger();
}

/* The same addresses for each victim, and nothing there in between. */
#define STACK_BYTES (256 * KIB)

static pthread_t start_victim(void **stack, uint64_t what) {
    *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t a;
    pthread_t t;
    pthread_attr_init(&a);
    if (*stack == MAP_FAILED ||
        pthread_attr_setstack(&a, *stack, STACK_BYTES) != 0 ||
        pthread_create(&t, &a, victim_main, (void *)(uintptr_t)what) != 0) {
        fail("a victim's thread", 0);
        _exit(1);
    }
    pthread_attr_destroy(&a);
    return t;
}

static void ignore_misuse(const struct linn_misuse *misuse) {
    (void)misuse;
}

void linn_probe_child(struct linn_probe_mail *m) {
    mail = m;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    mail->text_begin = (uint64_t)(uintptr_t)__executable_start;
    mail->text_end = (uint64_t)(uintptr_t)etext;
    mail->own_begin = (uint64_t)(uintptr_t)__start_linn_probe_text;
    mail->own_end = (uint64_t)(uintptr_t)__stop_linn_probe_text;
    mail->exit_stub = (uint64_t)(uintptr_t)exit_stub;
    (void)linn_set_misuse_handler(ignore_misuse);
    second_pool = linn_pool_create(NULL, NULL, 0);
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = handler;
    sa.sa_flags = SA_RESTART;
    (void)sigaction(SIGUSR1, &sa, NULL);
    for (uint32_t i = 0; i < LINN_PROBE_WORKERS; i++) {
        workers[i].index = i;
        pthread_t t;
        if (pthread_create(&t, NULL, work, &workers[i]) != 0) _exit(1);
    }
    struct linn_probe_mailbox *box = &mail->controller;
    box->tid = thread_id();
    sync_u32_store_release(&box->watched, box->tid);
    pthread_t victim = 0;
    void *stack = NULL;
    uint32_t last = 0;
    for (;;) {
        uint32_t order;
        while ((order = sync_u32_load_acquire(&box->order)) == last) {
            (void)linn_probe_sleep_on(&box->order, last, 1000);
        }
        last = order;
        switch (box->kind) {
            case LINN_PROBE_VICTIM:
                victim = start_victim(&stack, box->argument);
                break;
            case LINN_PROBE_JOIN:
                (void)pthread_join(victim, NULL);
                (void)munmap(stack, STACK_BYTES);
                free_blocks();
                (void)linn_thread_flush();
                break;
            case LINN_PROBE_LEDGER:
                write_ledger();
                break;
            case LINN_PROBE_ADOPT:
                adopt();
                break;
            default:
                break;
        }
        made_progress(box);
        sync_u32_store_release(&box->done, last);
        linn_probe_wake(&box->done);
    }
}
