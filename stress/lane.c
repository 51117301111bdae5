#include "stress/lane.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t ns_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void sleep_ns(uint64_t ns) {
    struct timespec t = {(time_t)(ns / UINT64_C(1000000000)),
                         (long)(ns % UINT64_C(1000000000))};
    nanosleep(&t, NULL);
}

void *stress_map(struct stress_run *run, size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) {
        snprintf(run->error, sizeof run->error,
                 "no memory for %zu bytes of tables: %s", bytes,
                 strerror(errno));
        return NULL;
    }
    run->driver_bytes += (bytes + 4095) / 4096 * 4096;
    return p;
}

/* ---- Lanes and their threads ---- */

bool stress_goes_on(struct stress_lane *lane) {
    /* SL.W1 relaxed: a count. */
    sync_u64_store_relaxed(&lane->operations_shown, lane->operations);
    if (lane->operations >= lane->quota) return false;
    /* SL.R3 relaxed: whatever the lane does next is right in either phase. */
    uint32_t phase = sync_u32_load_relaxed(&lane->run->phase);
    lane->timed = phase == STRESS_MEASURE && lane->run->pass == STRESS_LATENCY;
    return phase != STRESS_STOP;
}

void stress_lane_enter(struct stress_lane *lane, uint32_t generation) {
    lane->thread = (lane->index + generation * lane->run->lanes) &
                   ((1u << STRESS_THREAD_BITS) - 1);
}

struct fresh {
    struct stress_lane *lane;
    void (*body)(struct stress_lane *);
};

static void *fresh_main(void *argument) {
    struct fresh *f = (struct fresh *)argument;
    f->body(f->lane);
    if (f->lane->subject->thread_end) f->lane->subject->thread_end();
    return NULL;
}

static void create_thread(pthread_t *thread, void *(*main)(void *),
                          void *argument) {
    int error = pthread_create(thread, NULL, main, argument);
    if (error == 0) return;
    fprintf(stderr, "stress: cannot start a thread: %s\n", strerror(error));
    exit(1);
}

void stress_in_fresh_thread(struct stress_lane *lane, uint32_t generation,
                            void (*body)(struct stress_lane *)) {
    struct fresh f = {lane, body};
    pthread_t thread;
    stress_lane_enter(lane, generation);
    create_thread(&thread, fresh_main, &f);
    pthread_join(thread, NULL);
}

static void *lane_main(void *argument) {
    struct stress_lane *lane = (struct stress_lane *)argument;
    lane->run->workload->body(lane);
    /* SL.W1 relaxed: a count; what clearing up added. */
    sync_u64_store_relaxed(&lane->operations_shown, lane->operations);
    if (lane->subject->thread_end) lane->subject->thread_end();
    /* SL.W5 relaxed: a count. */
    (void)sync_u32_fetch_add_relaxed(&lane->run->ended, 1);
    return NULL;
}

/* ---- Waiting ---- */

struct stress_wait stress_wait_begin(struct stress_lane *lane) {
    struct stress_wait w = {ns_of(CLOCK_THREAD_CPUTIME_ID), 0};
    lane->waits++;
    return w;
}

void stress_wait_round(struct stress_wait *wait) {
    uint32_t round = wait->rounds++;
    if (round < 100) {
        _mm_pause();
    } else if (round < 120) {
        sched_yield();
    } else {
        /* From 20 us to 1 ms: a lane that waits long must not eat up the
         * processor that the others work with. */
        uint32_t long_rounds = (round - 120) / 16;
        uint64_t ns = UINT64_C(20000) << (long_rounds < 6 ? long_rounds : 6);
        sleep_ns(ns < 1000000 ? ns : 1000000);
    }
}

void stress_wait_end(struct stress_lane *lane, const struct stress_wait *wait) {
    lane->wait_ns += ns_of(CLOCK_THREAD_CPUTIME_ID) - wait->begin_ns;
    /* SL.W2 relaxed: a count. */
    sync_u64_store_relaxed(&lane->wait_ns_shown, lane->wait_ns);
}

/* ---- Canaries ---- */

static void write_word(unsigned char *at, uint64_t canary, size_t bytes) {
    memcpy(at, &canary, bytes < 8 ? bytes : 8);
}

static uint64_t read_word(const unsigned char *at, size_t bytes) {
    uint64_t word = 0;
    memcpy(&word, at, bytes < 8 ? bytes : 8);
    return word;
}

/* Calls for each 8-byte step of both ends; the ends of a small block overlap
 * and are one. */
static void end_ranges(uint32_t size, uint32_t range[4]) {
    if (size <= 2 * STRESS_CANARY_END) {
        range[0] = 0, range[1] = size, range[2] = 0, range[3] = 0;
    } else {
        range[0] = 0, range[1] = STRESS_CANARY_END;
        range[2] = (size - STRESS_CANARY_END) / 8 * 8, range[3] = size;
    }
}

void stress_canary_write(struct stress_lane *lane,
                         const struct stress_block *b) {
    size_t usable = lane->subject->usable_size(b->pointer);
    if (usable < b->size) {
        stress_broken(lane, b, "usable size is less than was asked for", usable,
                      0);
    }
    if ((uintptr_t)b->pointer % (b->size >= 16 ? 16 : 8) != 0) {
        stress_broken(lane, b, "the block is not aligned",
                      (uintptr_t)b->pointer, 0);
    }
    uint64_t canary = stress_canary_of(b);
    uint32_t range[4];
    end_ranges(b->size, range);
    for (int end = 0; end < 4; end += 2) {
        for (uint32_t i = range[end]; i < range[end + 1]; i += 8) {
            write_word(b->pointer + i, canary, range[end + 1] - i);
        }
    }
}

void stress_canary_check(struct stress_lane *lane,
                         const struct stress_block *b) {
    uint64_t canary = stress_canary_of(b);
    uint32_t range[4];
    lane->checks++;
    end_ranges(b->size, range);
    for (int end = 0; end < 4; end += 2) {
        for (uint32_t i = range[end]; i < range[end + 1]; i += 8) {
            uint32_t bytes = range[end + 1] - i;
            uint64_t mask =
                bytes < 8 ? (UINT64_C(1) << bytes * 8) - 1 : UINT64_MAX;
            uint64_t found = read_word(b->pointer + i, bytes);
            if (found != (canary & mask)) {
                stress_broken(lane, b, "canary is broken", found, i);
            }
        }
    }
}

void stress_canary_check_kept(struct stress_lane *lane,
                              const struct stress_block *block,
                              unsigned char *now_at, uint32_t size) {
    uint64_t canary = stress_canary_of(block);
    uint32_t range[4];
    lane->checks++;
    end_ranges(block->size, range);
    for (int end = 0; end < 4; end += 2) {
        for (uint32_t i = range[end]; i + 8 <= range[end + 1] && i + 8 <= size;
             i += 8) {
            uint64_t found = read_word(now_at + i, 8);
            if (found != canary) {
                struct stress_block moved = *block;
                moved.pointer = now_at;
                stress_broken(lane, &moved, "realloc did not keep the contents",
                              found, i);
            }
        }
    }
}

static void describe(char *out, size_t out_size, uint32_t stamp,
                     uint32_t size) {
    snprintf(out, out_size, "thread %u, its allocation %u of %u bytes",
             stamp >> STRESS_SEQUENCE_BITS,
             stamp & ((1u << STRESS_SEQUENCE_BITS) - 1), size);
}

void stress_broken(const struct stress_lane *lane, const struct stress_block *b,
                   const char *what, uint64_t found, size_t offset) {
    char holder[96], writer[96];
    describe(holder, sizeof holder, b->stamp, b->size);
    uint64_t told = found ^ STRESS_CANARY;
    uint32_t told_thread = (uint32_t)(told >> 32) >> STRESS_SEQUENCE_BITS;
    /* A foreign canary decodes to a plausible owner; anything else is shown as
     * it is. */
    if (told_thread < 1u << STRESS_THREAD_BITS &&
        (uint32_t)told <= UINT32_C(1) << 30 && offset + 8 <= b->size) {
        describe(writer, sizeof writer, (uint32_t)(told >> 32), (uint32_t)told);
    } else {
        snprintf(writer, sizeof writer, "nobody (no canary)");
    }
    fprintf(stderr,
            "stress: %s\n"
            "  subject  %s, workload %s, %u threads, seed %llu\n"
            "  block    %p, byte %zu holds %016llx\n"
            "  held by  %s\n"
            "  written by  %s\n"
            "  seen by  thread %u\n",
            what, lane->subject->name, lane->run->workload->name,
            lane->run->lanes, (unsigned long long)lane->run->seed,
            (void *)b->pointer, offset, (unsigned long long)found, holder,
            writer, lane->thread);
    fflush(stderr);
    _exit(STRESS_EXIT_BROKEN);
}

struct stress_block stress_realloc(struct stress_lane *lane,
                                   struct stress_block block, uint32_t size) {
    if (lane->checked && block.pointer != NULL) {
        stress_canary_check(lane, &block);
    }
    uint64_t begin = lane->timed ? stress_ticks() : 0;
    unsigned char *moved =
        (unsigned char *)lane->subject->realloc(block.pointer, size);
    if (lane->timed) {
        stress_histogram_add(&lane->alloc_ticks, stress_ticks() - begin);
    }
    lane->operations++;
    if (moved == NULL) {
        lane->failed++;
        return block;
    }
    if (block.pointer == NULL) lane->allocations++;
    if (lane->checked && block.pointer != NULL) {
        stress_canary_check_kept(lane, &block, moved, size);
    }
    struct stress_block after = {
        moved, size,
        lane->thread << STRESS_SEQUENCE_BITS |
            (lane->sequence++ & ((1u << STRESS_SEQUENCE_BITS) - 1))};
    if (lane->checked) {
        stress_canary_write(lane, &after);
    } else {
        stress_touch(&after);
    }
    return after;
}

/* ---- A run ---- */

/* In bytes; 0 if the kernel does not say. */
static uint64_t status_bytes(const char *status, const char *field) {
    const char *at = strstr(status, field);
    if (at == NULL) return 0;
    return strtoull(at + strlen(field), NULL, 10) * 1024;
}

static void read_memory(const struct stress_run *run, uint64_t *peak,
                        uint64_t *now) {
    char status[4096];
    *peak = *now = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (f == NULL) return;
    size_t length = fread(status, 1, sizeof status - 1, f);
    fclose(f);
    status[length] = 0;
    uint64_t not_theirs = run->driver_bytes + status_bytes(status, "RssFile:");
    uint64_t high = status_bytes(status, "VmHWM:");
    uint64_t current = status_bytes(status, "VmRSS:");
    *peak = high > not_theirs ? high - not_theirs : 0;
    *now = current > not_theirs ? current - not_theirs : 0;
}

/* The peak counts from here on: what came before was the driver's. */
static void forget_peak(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f == NULL) return;
    fputs("5", f);
    fclose(f);
}

static uint64_t operations_of(const struct stress_run *run) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < run->lanes; i++) {
        /* SL.R1 relaxed: a count. */
        sum += sync_u64_load_relaxed(&run->lane[i].operations_shown);
    }
    return sum;
}

static uint64_t wait_ns_of(const struct stress_run *run) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < run->lanes; i++) {
        /* SL.R2 relaxed: a count. */
        sum += sync_u64_load_relaxed(&run->lane[i].wait_ns_shown);
    }
    return sum;
}

static void set_phase(struct stress_run *run, enum stress_phase phase) {
    /* SL.W3 relaxed: a request. */
    sync_u32_store_relaxed(&run->phase, (uint32_t)phase);
}

void stress_run_stop(struct stress_run *run) {
    /* SL.W4 relaxed: a request. */
    sync_u32_store_relaxed(&run->stop_wanted, 1);
}

struct reading {
    double wall, cpu, wait;
    uint64_t ticks, operations;
};

static struct reading read_clocks(const struct stress_run *run) {
    struct reading r;
    r.wall = seconds_of(CLOCK_MONOTONIC);
    r.ticks = stress_ticks();
    r.cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    r.wait = (double)wait_ns_of(run) * 1e-9;
    r.operations = operations_of(run);
    return r;
}

/* Sleeps until `until`, the last operation, the end of the lanes, or the wish to
 * stop. */
static void sleep_through(struct stress_run *run, double begin, double until) {
    double next_tick = begin + 0.25;
    for (;;) {
        double now = seconds_of(CLOCK_MONOTONIC);
        if (now >= until) return;
        /* SL.R4 relaxed: a request. */
        if (sync_u32_load_relaxed(&run->stop_wanted)) return;
        /* SL.R5 relaxed: a count. */
        if (sync_u32_load_relaxed(&run->ended) == run->lanes) return;
        uint64_t operations = operations_of(run);
        if (run->operations > 0 && operations >= run->operations) return;
        if (run->tick != NULL && now >= next_tick) {
            run->tick(run, now - begin, operations);
            next_tick = now + 0.25;
        }
        double left = until - now;
        sleep_ns((uint64_t)((left < 0.01 ? left : 0.01) * 1e9));
    }
}

static bool set_up(struct stress_run *run) {
    const struct stress_workload *w = run->workload;
    if (run->lanes < w->lanes_min) run->lanes = w->lanes_min;
    if (w->lanes_step > 1) run->lanes -= run->lanes % w->lanes_step;
    if (run->lanes > STRESS_LANES_MAX) {
        snprintf(run->error, sizeof run->error, "%u threads: at most %d",
                 run->lanes, STRESS_LANES_MAX);
        return false;
    }
    run->lane = (struct stress_lane *)stress_map(
        run, sizeof(struct stress_lane) * run->lanes);
    if (run->lane == NULL) return false;
    if (w->prepare != NULL && !w->prepare(run)) return false;
    for (uint32_t i = 0; i < run->lanes; i++) {
        struct stress_lane *lane = &run->lane[i];
        lane->subject = run->subject;
        lane->run = run;
        lane->index = i;
        lane->random = stress_random_mix(run->seed + i * UINT64_C(0x51ed270b));
        lane->checked = run->check;
        lane->quota = UINT64_MAX;
        if (run->operations > 0) {
            lane->quota = (run->operations + run->lanes - 1) / run->lanes;
        }
        stress_lane_enter(lane, 0);
    }
    return true;
}

bool stress_perform(struct stress_run *run, struct stress_outcome *out) {
    memset(out, 0, sizeof *out);
    if (!set_up(run)) return false;
    out->lanes = run->lanes;
    out->has_counters = run->subject->counters != NULL;
    forget_peak();

    static pthread_t thread[STRESS_LANES_MAX];
    if (out->has_counters) run->subject->counters(&out->counters_before);
    struct reading first = read_clocks(run);
    set_phase(run, run->warm_seconds > 0 ? STRESS_WARM : STRESS_MEASURE);
    for (uint32_t i = 0; i < run->lanes; i++) {
        create_thread(&thread[i], lane_main, &run->lane[i]);
    }
    double begin = seconds_of(CLOCK_MONOTONIC);
    if (run->warm_seconds > 0) {
        sleep_through(run, begin, begin + run->warm_seconds);
        set_phase(run, STRESS_MEASURE);
        /* What came before was warm-up. */
        if (out->has_counters) run->subject->counters(&out->counters_before);
        first = read_clocks(run);
    }
    sleep_through(run, begin,
                  run->seconds > 0 ? first.wall + run->seconds : 1e18);
    struct reading last = read_clocks(run);
    if (out->has_counters) run->subject->counters(&out->counters_after);
    set_phase(run, STRESS_STOP);
    for (uint32_t i = 0; i < run->lanes; i++) {
        pthread_join(thread[i], NULL);
    }

    out->wall_seconds = last.wall - first.wall;
    out->wait_seconds = last.wait - first.wait;
    out->cpu_seconds = last.cpu - first.cpu - out->wait_seconds;
    out->operations = last.operations - first.operations;
    if (out->wall_seconds > 0) {
        out->ticks_per_ns =
            (double)(last.ticks - first.ticks) / (out->wall_seconds * 1e9);
    }
    for (uint32_t i = 0; i < run->lanes; i++) {
        const struct stress_lane *lane = &run->lane[i];
        out->allocations += lane->allocations;
        out->frees += lane->frees;
        out->frees_elsewhere += lane->frees_elsewhere;
        out->failed += lane->failed;
        out->checks += lane->checks;
        out->waits += lane->waits;
        stress_histogram_merge(&out->alloc_ticks, &lane->alloc_ticks);
        stress_histogram_merge(&out->free_ticks, &lane->free_ticks);
    }
    if (out->has_counters) run->subject->counters(&out->counters_final);
    read_memory(run, &out->peak_rss_bytes, &out->final_rss_bytes);
    return true;
}
