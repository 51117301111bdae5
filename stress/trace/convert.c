#include "stress/trace/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stress/trace/raw.h"

_Static_assert(sizeof(struct raw_header) == 4096, "records are aligned");
_Static_assert(sizeof(struct raw_owner) == sizeof(struct raw_record),
               "an owner takes a record's place");

#define FORKS_MAX   16
#define NO_BLOCK    UINT32_MAX
#define THREADS_RAW (UINT64_C(1) << 22) /* more numbers than that are damage */

struct report {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void say(struct report r,
                                                      const char *format, ...) {
    if (r.text == NULL || r.size == 0) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r.text, r.size, format, arguments);
    va_end(arguments);
}

/* Not a function, so that a reader of the code, man or tool, sees the -1. */
#define FAIL(report, ...) (say((report), __VA_ARGS__), -1)

/* ---- Which block is at an address ------------------------------------- */

/* Open addressing, linear probing; address 0 is an empty place. */
struct map {
    uint64_t *address;
    uint32_t *block;
    size_t mask, used;
};

static size_t home_of(const struct map *m, uint64_t address) {
    return (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & m->mask;
}

static bool map_init(struct map *m, size_t places) {
    m->address = calloc(places, sizeof *m->address);
    m->block = calloc(places, sizeof *m->block);
    m->mask = places - 1;
    m->used = 0;
    return m->address != NULL && m->block != NULL;
}

static void map_fini(struct map *m) {
    free(m->address);
    free(m->block);
}

/* The place of the address, or the empty one where it belongs. */
static size_t map_find(const struct map *m, uint64_t address) {
    size_t i = home_of(m, address);
    while (m->address[i] != 0 && m->address[i] != address)
        i = (i + 1) & m->mask;
    return i;
}

static bool map_put(struct map *m, uint64_t address, uint32_t block) {
    if (m->used * 2 > m->mask) {
        struct map bigger;
        if (!map_init(&bigger, 2 * (m->mask + 1))) {
            map_fini(&bigger);
            return false;
        }
        for (size_t i = 0; i <= m->mask; i++) {
            if (m->address[i] == 0) continue;
            size_t to = map_find(&bigger, m->address[i]);
            bigger.address[to] = m->address[i];
            bigger.block[to] = m->block[i];
        }
        bigger.used = m->used;
        map_fini(m);
        *m = bigger;
    }
    size_t i = map_find(m, address);
    m->used += m->address[i] == 0;
    m->address[i] = address;
    m->block[i] = block;
    return true;
}

/* Removes the address and returns its block, or NO_BLOCK. */
static uint32_t map_take(struct map *m, uint64_t address) {
    size_t hole = map_find(m, address);
    if (address == 0 || m->address[hole] == 0) return NO_BLOCK;
    uint32_t block = m->block[hole];
    /* Closes the gap, so that no search stops short of what it looks for. */
    for (size_t i = (hole + 1) & m->mask; m->address[i] != 0;
         i = (i + 1) & m->mask) {
        size_t from_home = (i - home_of(m, m->address[i])) & m->mask;
        if (from_home >= ((i - hole) & m->mask)) {
            m->address[hole] = m->address[i];
            m->block[hole] = m->block[i];
            hole = i;
        }
    }
    m->address[hole] = 0;
    m->used--;
    return block;
}

/* ---- The records of a process and its parents ------------------------- */

/* A record as it is sorted; 32 bytes. */
struct call {
    uint64_t sequence, address, size;
    uint32_t time_steps;
    uint32_t thread : 22, operation : 4, align_log2 : 6;
};

struct history {
    struct call *calls;
    size_t count, room;
    uint64_t thread_max;
};

static int compare_calls(const void *a, const void *b) {
    uint64_t x = ((const struct call *)a)->sequence;
    uint64_t y = ((const struct call *)b)->sequence;
    return (x > y) - (x < y);
}

/* Appends the whole records below the sequence number `below`. */
static int gather(struct history *h, const struct raw_header *header,
                  size_t size, uint64_t below, const char *path,
                  struct report r) {
    const struct raw_record *records = (const struct raw_record *)(header + 1);
    uint64_t room =
        (size - sizeof *header) / sizeof *records / RAW_CHUNK_RECORDS;
    /* RE.C2 relaxed: nobody claims any more. */
    uint64_t chunks = sync_u64_load_relaxed(&header->chunks_claimed);
    if (chunks > header->chunks) chunks = header->chunks;
    if (chunks > room)
        return FAIL(r, "%s: is truncated: %llu chunks of %llu are there", path,
                    (unsigned long long)room, (unsigned long long)chunks);
    size_t need = h->count + (size_t)chunks * RAW_CHUNK_RECORDS + 1;
    if (need > h->room || h->calls == NULL) {
        struct call *more = reallocarray(h->calls, need, sizeof *more);
        if (more == NULL)
            return FAIL(r, "%s: out of memory for %zu records", path, need);
        h->calls = more;
        h->room = need;
    }
    for (uint64_t c = 0; c < chunks; c++) {
        const struct raw_record *chunk = records + c * RAW_CHUNK_RECORDS;
        uint64_t thread = ((const struct raw_owner *)chunk)->thread;
        if (thread >= THREADS_RAW)
            return FAIL(r, "%s: chunk %llu belongs to thread %llu", path,
                        (unsigned long long)c, (unsigned long long)thread);
        if (thread > h->thread_max) h->thread_max = thread;
        for (size_t i = 1; i < RAW_CHUNK_RECORDS; i++) {
            /* RE.R1 acquire, pairs with RE.W1: then the record is whole. */
            uint32_t word = sync_u32_load_acquire(&chunk[i].operation);
            if (word == 0) break;
            uint32_t operation = word & 0xff, align_log2 = word >> 8;
            if (operation > RAW_REALLOC_END || align_log2 > 62)
                return FAIL(r, "%s: chunk %llu has operation %u", path,
                            (unsigned long long)c, word);
            if (chunk[i].sequence >= below) continue;
            h->calls[h->count++] = (struct call){
                .sequence = chunk[i].sequence,
                .address = chunk[i].address,
                .size = chunk[i].size,
                .time_steps = chunk[i].time_steps,
                .thread = (uint32_t)thread & 0x3fffff,
                .operation = operation & 0xf,
                .align_log2 = align_log2 & 0x3f,
            };
        }
    }
    return 0;
}

/* Reads one file; *parent receives the path of the one before it, or "". */
static int read_one(struct history *h, const char *path, uint64_t *below,
                    char *parent, size_t parent_size, convert_report *report,
                    struct report r) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat s;
    if (fd < 0 || fstat(fd, &s) != 0) {
        int code = errno;
        if (fd >= 0) close(fd);
        return FAIL(r, "%s: %s", path, strerror(code));
    }
    size_t size = (size_t)s.st_size;
    void *mapped = MAP_FAILED;
    if (S_ISREG(s.st_mode) && size >= sizeof(struct raw_header))
        mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        return FAIL(r, "%s: is too short for a recording", path);
    const struct raw_header *header = mapped;
    int result = -1;
    if (header->magic != RAW_MAGIC) {
        say(r, "%s: is no recording (wrong magic)", path);
    } else if (memchr(header->parent_file, 0, sizeof header->parent_file) ==
                   NULL ||
               memchr(header->program, 0, sizeof header->program) == NULL ||
               strchr(header->parent_file, '/') != NULL) {
        say(r, "%s: has a damaged header", path);
    } else if (gather(h, header, size, *below, path, r) == 0) {
        if (report->forks == 0 && report->pid == 0) {
            memcpy(report->program, header->program, sizeof report->program);
            report->pid = header->pid;
        }
        /* RE.L3 relaxed: nobody loses any more. */
        uint64_t lost_from = sync_u64_load_relaxed(&header->first_lost);
        if (lost_from < report->lost_from) report->lost_from = lost_from;
        *below = header->fork_sequence;
        const char *slash = strrchr(path, '/');
        int folder = slash == NULL ? 0 : (int)(slash - path) + 1;
        if (header->parent_file[0] == '\0')
            parent[0] = '\0', result = 0;
        else if (snprintf(parent, parent_size, "%.*s%s", folder, path,
                          header->parent_file) < (int)parent_size)
            result = 0;
        else
            say(r, "%s: its parent's path is too long", path);
    }
    munmap(mapped, size);
    return result;
}

static int read_history(struct history *h, const char *path,
                        convert_report *report, struct report r) {
    char now[4096], parent[4096];
    uint64_t below = UINT64_MAX;
    if (snprintf(now, sizeof now, "%s", path) >= (int)sizeof now)
        return FAIL(r, "%s: the path is too long", path);
    for (;;) {
        if (read_one(h, now, &below, parent, sizeof parent, report, r) != 0)
            return -1;
        if (parent[0] == '\0') break;
        if (++report->forks > FORKS_MAX)
            return FAIL(r, "%s: more than %d forks", path, FORKS_MAX);
        memcpy(now, parent, sizeof now);
    }
    report->records = h->count;
    if (h->count > 1)
        qsort(h->calls, h->count, sizeof *h->calls, compare_calls);
    for (size_t i = 1; i < h->count; i++)
        if (h->calls[i].sequence == h->calls[i - 1].sequence)
            return FAIL(r, "%s: sequence number %llu is there twice", path,
                        (unsigned long long)h->calls[i].sequence);
    return 0;
}

/* ---- From addresses to identities ------------------------------------- */

struct translation {
    struct map map;
    trace_event *events;
    size_t count;
    uint32_t blocks;
    uint32_t threads;
    uint32_t *thread_of;   /* raw thread -> dense number + 1 */
    struct inside *inside; /* raw thread -> the realloc it is in */
};

/* A block between the two records of its realloc: without an address, because
 * another thread may be given the old one meanwhile. */
struct inside {
    uint64_t old_address;
    uint32_t block; /* or NO_BLOCK */
};

static int emit(struct translation *t, const struct call *c, unsigned operation,
                uint32_t block, struct report r) {
    if (c->size > TRACE_SIZE_MAX)
        return FAIL(r, "sequence number %llu: a block of %llu bytes",
                    (unsigned long long)c->sequence,
                    (unsigned long long)c->size);
    if (t->thread_of[c->thread] == 0) {
        if (t->threads == TRACE_THREADS_MAX)
            return FAIL(r, "more than %u threads", TRACE_THREADS_MAX);
        t->thread_of[c->thread] = ++t->threads;
    }
    uint32_t time = c->time_steps;
    /* Two threads read the clock and take a number in either order; the number
     * decides, the clock follows. */
    if (t->count != 0) {
        uint32_t start = t->events[0].time_steps;
        time = time < start ? 0 : time - start;
        uint32_t before =
            t->count == 1 ? 0 : t->events[t->count - 1].time_steps;
        if (time < before) time = before;
    }
    t->events[t->count++] = (trace_event){
        .block = block,
        .size = operation == TRACE_FREE ? 0 : (uint32_t)c->size,
        .time_steps = time,
        .thread = (uint16_t)(t->thread_of[c->thread] - 1),
        .operation = (uint8_t)operation,
        .align_log2 = operation == TRACE_ALIGNED ? (uint8_t)c->align_log2 : 0,
    };
    return 0;
}

static int emit_allocation(struct translation *t, const struct call *c,
                           unsigned operation, convert_report *report,
                           struct report r) {
    if (map_take(&t->map, c->address) != NO_BLOCK)
        report->reused_without_free++;
    if (!map_put(&t->map, c->address, t->blocks))
        return FAIL(r, "out of memory for the live blocks");
    return emit(t, c, operation, t->blocks++, r);
}

static int translate_realloc_end(struct translation *t, const struct call *c,
                                 convert_report *report, struct report r) {
    struct inside was = t->inside[c->thread];
    t->inside[c->thread].block = NO_BLOCK;
    if (c->address == 0 && c->size != 0) {
        /* It failed, and the block is where it was. */
        report->failed_reallocs++;
        if (was.block == NO_BLOCK) return 0;
        if (map_put(&t->map, was.old_address, was.block)) return 0;
        return FAIL(r, "out of memory for the live blocks");
    }
    if (c->address == 0)
        return was.block == NO_BLOCK ? 0 : emit(t, c, TRACE_FREE, was.block, r);
    if (was.block == NO_BLOCK)
        return emit_allocation(t, c, TRACE_ALLOC, report, r);
    if (map_take(&t->map, c->address) != NO_BLOCK)
        report->reused_without_free++;
    if (!map_put(&t->map, c->address, was.block))
        return FAIL(r, "out of memory for the live blocks");
    return emit(t, c, TRACE_REALLOC, was.block, r);
}

static int translate_call(struct translation *t, const struct call *c,
                          convert_report *report, struct report r) {
    struct inside *inside = &t->inside[c->thread];
    switch (c->operation) {
        case RAW_ALLOC:
            return emit_allocation(t, c, TRACE_ALLOC, report, r);
        case RAW_CALLOC:
            return emit_allocation(t, c, TRACE_CALLOC, report, r);
        case RAW_ALIGNED:
            return emit_allocation(t, c, TRACE_ALIGNED, report, r);
        case RAW_FREE: {
            uint32_t block = map_take(&t->map, c->address);
            if (block != NO_BLOCK) return emit(t, c, TRACE_FREE, block, r);
            report->unknown_frees++;
            return 0;
        }
        case RAW_REALLOC_BEGIN:
            inside->old_address = c->address;
            inside->block = map_take(&t->map, c->address);
            report->unknown_reallocs += inside->block == NO_BLOCK;
            return 0;
        default:
            return translate_realloc_end(t, c, report, r);
    }
}

/* Turns calls into events until a limit is met. */
static int translate(struct translation *t, const struct history *h,
                     size_t events_max, convert_report *report,
                     struct report r) {
    size_t i = 0;
    for (; i < h->count && t->count < events_max; i++) {
        if (h->calls[i].sequence >= report->lost_from) break;
        if (translate_call(t, &h->calls[i], report, r) != 0) return -1;
    }
    report->left_over = h->count - i;
    if (t->count != 0) t->events[0].time_steps = 0;
    return 0;
}

int convert_recording(const char *path, size_t events_max, struct trace **out,
                      convert_report *report, char *error, size_t error_size) {
    struct report r = {error, error_size};
    struct history h = {0};
    struct translation t = {0};
    int result = -1;
    *out = NULL;
    memset(report, 0, sizeof *report);
    report->lost_from = RAW_NONE_LOST;
    if (events_max > TRACE_EVENTS_MAX) events_max = TRACE_EVENTS_MAX;
    if (read_history(&h, path, report, r) != 0) goto done;

    size_t threads = (size_t)h.thread_max + 1;
    size_t events = h.count < events_max ? h.count : events_max;
    t.events = malloc((events + 1) * sizeof *t.events);
    t.thread_of = calloc(threads, sizeof *t.thread_of);
    t.inside = calloc(threads, sizeof *t.inside);
    if (!map_init(&t.map, 1 << 16) || t.events == NULL || t.thread_of == NULL ||
        t.inside == NULL) {
        say(r, "%s: out of memory for %zu events", path, events);
        goto done;
    }
    for (size_t i = 0; i < threads; i++)
        t.inside[i].block = NO_BLOCK;
    char reason[256];
    struct report inner = {reason, sizeof reason};
    if (translate(&t, &h, events_max, report, inner) != 0 ||
        trace_build(t.events, t.count, out, reason, sizeof reason) != 0) {
        say(r, "%s: %s", path, reason);
        goto done;
    }
    result = 0;
done:
    map_fini(&t.map);
    free(t.inside);
    free(t.thread_of);
    free(t.events);
    free(h.calls);
    return result;
}
