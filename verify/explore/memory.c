#include "verify/explore/memory.h"

#include <string.h>
#include <sys/mman.h>

#include "verify/explore/fiber.h"
#include "verify/explore/machine.h"
#include "verify/explore/report.h"
#include "verify/explore/schedule.h"

enum { TABLE = 1 << 16, RECORDS = 40, REGIONS_MAX = 512 };

struct record {
    uint8_t thread, mask, kind;
    uint16_t epoch; /* after so many events of its thread */
    uintptr_t site;
};

struct cell {
    uintptr_t address; /* of 8 bytes */
    uint32_t run;
    bool kept;
    uint8_t records;
    uint64_t old;
    struct record record[RECORDS];
};

static struct cell cells[TABLE];
static uint32_t used[TABLE];
static uint32_t used_count;
static uint32_t run = 1;

struct region {
    uintptr_t first, bytes;
    bool mapped;
    uint8_t thread; /* who mapped it, or unmapped it last */
    uint16_t epoch;
    uintptr_t site;
};
static struct region regions[REGIONS_MAX];
static struct region sealed_regions[REGIONS_MAX];
static int region_count, sealed_count;

#define RANGE_FIRST ((uintptr_t)0x100000000000)
#define RANGE_BYTES ((uintptr_t)1 << 40)
static uintptr_t next_free[THREADS];  /* in this execution */
static uintptr_t next_fresh[THREADS]; /* never mapped so far */
static uintptr_t begin_free[THREADS]; /* at the start of an execution */

void memory_init(void) {
    if (next_free[0] != 0) return;
    for (int t = 0; t < THREADS; t++) {
        next_free[t] = RANGE_FIRST + (uintptr_t)t * RANGE_BYTES;
        next_fresh[t] = begin_free[t] = next_free[t];
    }
}

static struct cell *cell_of(uintptr_t address) {
    uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(hash >> 44) % TABLE;
    for (; cells[at].run == run; at = (at + 1) % TABLE) {
        if (cells[at].address == address) return &cells[at];
    }
    if (used_count >= TABLE / 2) report_limit("too much memory is touched");
    cells[at].run = run;
    cells[at].address = address;
    cells[at].kept = false;
    cells[at].records = 0;
    used[used_count++] = at;
    return &cells[at];
}

static void keep(struct cell *c) {
    if (c->kept) return;
    c->kept = true;
    memcpy(&c->old, (const void *)c->address, 8);
}

void memory_undo(void) {
    for (uint32_t i = 0; i < used_count; i++) {
        const struct cell *c = &cells[used[i]];
        if (c->kept) memcpy((void *)c->address, &c->old, 8);
    }
    used_count = 0;
    run++;
    region_count = sealed_count;
    memcpy(regions, sealed_regions, (size_t)sealed_count * sizeof *regions);
    memcpy(next_free, begin_free, sizeof next_free);
}

void memory_seal(void) {
    sealed_count = region_count;
    memcpy(sealed_regions, regions, (size_t)region_count * sizeof *regions);
    memcpy(begin_free, next_free, sizeof next_free);
}

static bool is_behind(int thread, uint16_t epoch) {
    int me = schedule_thread();
    return thread == me || thread == 0 || me == 0 ||
           linn_machine.now[me].of[thread] > epoch;
}

static bool is_write(uint8_t kind) {
    return kind == PLAIN_WRITE || kind == ATOMIC_WRITE;
}

static bool is_atomic(uint8_t kind) {
    return kind >= ATOMIC_READ;
}

static void note(struct cell *c, uint8_t mask, enum memory_kind kind,
                 uintptr_t site) {
    int me = schedule_thread();
    struct record *mine = NULL;
    for (int i = 0; i < c->records; i++) {
        struct record *r = &c->record[i];
        bool same = r->thread == me && r->mask == mask && r->kind == kind;
        if (same) mine = r;
        if ((r->mask & mask) == 0 || (!is_write(r->kind) && !is_write(kind)) ||
            (is_atomic(r->kind) && is_atomic(kind)) ||
            is_behind(r->thread, r->epoch)) {
            continue;
        }
        report_failure("data race", site, r->site);
    }
    if (mine == NULL) {
        if (c->records == RECORDS) report_limit("8 bytes are too busy");
        mine = &c->record[c->records++];
    }
    mine->thread = (uint8_t)me;
    mine->mask = mask;
    mine->kind = (uint8_t)kind;
    mine->epoch = linn_machine.now[me].of[me];
    mine->site = site;
}

static struct region *region_of(uintptr_t address) {
    for (int i = region_count - 1; i >= 0; i--) {
        if (address - regions[i].first < regions[i].bytes) return &regions[i];
    }
    return NULL;
}

static void check_mapped(uintptr_t address, uintptr_t site) {
    if (address - RANGE_FIRST >= THREADS * RANGE_BYTES) return;
    const struct region *r = region_of(address);
    if (r == NULL || !r->mapped) {
        report_failure("access to memory that is not mapped", site,
                       r == NULL ? 0 : r->site);
    }
    if (!is_behind(r->thread, r->epoch)) {
        report_failure("access races with the mapping", site, r->site);
    }
}

void memory_access(uintptr_t address, size_t bytes, enum memory_kind kind,
                   uintptr_t site) {
    if (fiber_is_private(address)) return;
    check_mapped(address, site);
    uintptr_t end = address + bytes;
    for (uintptr_t at = address & ~(uintptr_t)7; at < end; at += 8) {
        uint8_t mask = 0xff;
        if (at < address) mask = (uint8_t)(mask << (address - at));
        if (at + 8 > end) mask &= (uint8_t)(0xff >> (at + 8 - end));
        struct cell *c = cell_of(at);
        if (kind == PLAIN_WRITE) keep(c);
        if (schedule_thread() != 0) note(c, mask, kind, site);
    }
}

void memory_poke(uintptr_t address, const void *value, unsigned bytes) {
    for (uintptr_t at = address & ~(uintptr_t)7; at < address + bytes; at += 8)
        keep(cell_of(at));
    memcpy((void *)address, value, bytes);
}

/* ---- pages ---- */

void *memory_map(size_t bytes) {
    memory_init(); /* for constructors, which come before main */
    int me = schedule_running() ? schedule_thread() : 0;
    size_t alignment = 4096;
    while (alignment < bytes && alignment < (size_t)1 << 24)
        alignment *= 2;
    uintptr_t first = (next_free[me] + alignment - 1) & ~(alignment - 1);
    /* An unmapped page behind each region. */
    uintptr_t end = (first + bytes + 8191) & ~(uintptr_t)4095;
    if (end > next_fresh[me]) {
        if (mmap((void *)next_fresh[me], end - next_fresh[me],
                 PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
                     MAP_FIXED_NOREPLACE,
                 -1, 0) == MAP_FAILED) {
            report_limit("no memory");
        }
        next_fresh[me] = end;
    }
    next_free[me] = end;
    if (region_count == REGIONS_MAX) report_limit("too many mappings");
    struct region *r = &regions[region_count++];
    r->first = first;
    r->bytes = bytes;
    r->mapped = true;
    r->thread = (uint8_t)me;
    r->epoch = linn_machine.now[me].of[me];
    r->site = schedule_site();
    return (void *)first;
}

/* The part of a region that goes is a region of its own. */
static void split(struct region *r, uintptr_t at) {
    if (at <= r->first || at >= r->first + r->bytes) return;
    if (region_count == REGIONS_MAX) report_limit("too many mappings");
    struct region *rest = &regions[region_count++];
    *rest = *r;
    rest->first = at;
    rest->bytes = r->first + r->bytes - at;
    r->bytes = at - r->first;
}

int memory_unmap(void *address, size_t bytes) {
    uintptr_t first = (uintptr_t)address, end = first + bytes;
    for (int i = 0; i < region_count; i++) {
        split(&regions[i], first);
        split(&regions[i], end);
    }
    bool threads = schedule_running() && schedule_thread() != 0;
    uintptr_t site = schedule_site();
    for (int i = 0; i < region_count; i++) {
        struct region *r = &regions[i];
        if (r->first < first || r->first >= end) continue;
        check_mapped(r->first, site);
        r->mapped = false;
        r->thread = (uint8_t)schedule_thread();
        r->epoch = linn_machine.now[r->thread].of[r->thread];
        r->site = site;
    }
    /* Who touched it must be done with it. */
    for (uint32_t i = 0; threads && i < used_count; i++) {
        struct cell *c = &cells[used[i]];
        if (c->address < first || c->address >= end) continue;
        for (int k = 0; k < c->records; k++) {
            const struct record *a = &c->record[k];
            if (is_behind(a->thread, a->epoch)) continue;
            report_failure("access races with the unmapping", a->site, site);
        }
    }
    return 0;
}
