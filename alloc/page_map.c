#define SYNC_LAYER LINN_COUNT_PAGE_MAP
#include "alloc/page_map.h"

#include "alloc/check.h"
#include "alloc/page_source.h"

#define ADDRESS_BYTES (UINT64_C(1) << LINN_ADDRESS_BITS)
#define PAGES         (ADDRESS_BYTES >> LINN_MAP_SHIFT)
#define GRANULES      (ADDRESS_BYTES >> LINN_GRANULE_SHIFT)

/* The flat form: one reservation. */
struct flat {
    sync_u16 entries[PAGES];
    sync_u32 slots[GRANULES];
};
#define UNIT_SHIFT 16 /* what is made writable at once */
#define UNITS      (sizeof(struct flat) >> UNIT_SHIFT)

/* The two-level form: a root of leaves of 4 GiB of addresses. */
#define LEAF_SHIFT     32
#define LEAF_ADDRESSES (UINT64_C(1) << LEAF_SHIFT)
#define LEAVES         (ADDRESS_BYTES >> LEAF_SHIFT)
#define LEAF_PAGES     (LEAF_ADDRESSES >> LINN_MAP_SHIFT)
#define LEAF_GRANULES  (LEAF_ADDRESSES >> LINN_GRANULE_SHIFT)

struct leaf {
    sync_u16 entries[LEAF_PAGES];
    sync_u32 slots[LEAF_GRANULES];
};

struct linn_page_map linn_page_map;

static sync_u64 enabled[UNITS / 64];
static sync_ptr leaves[LEAVES];

/* The value of `flat` that says two-level: an address that no table has. */
static char two_level_mark;

enum form { FORM_NONE, FORM_FLAT, FORM_TWO_LEVEL };

static enum form form_of(const void *flat) {
    if (flat == NULL) return FORM_NONE;
    return flat == &two_level_mark ? FORM_TWO_LEVEL : FORM_FLAT;
}

/* Decides for `wanted`, or finds what somebody else has decided. */
static void *decide(void *wanted) {
    void *seen = NULL;
    /* PM.F1 acq_rel, pairs with PM.F2: there is one form, the first. */
    if (sync_ptr_cas_acq_rel_acquire(&linn_page_map.flat, &seen, wanted)) {
        return wanted;
    }
    return seen;
}

void linn_page_map_init(void) {
    /* PM.F2 acquire, pairs with PM.F1: who finds it decided uses it. */
    void *flat = sync_ptr_load_acquire(&linn_page_map.flat);
    if (form_of(flat) == FORM_NONE) {
        void *mine = linn_page_source_reserve_readable(sizeof(struct flat));
        flat = decide(mine != NULL ? mine : &two_level_mark);
        if (mine != NULL && flat != mine) {
            linn_page_source_unmap(mine, sizeof(struct flat));
        }
    }
    /* Who decided may be stopped here, so everybody tells it. */
    if (form_of(flat) == FORM_FLAT) {
        /* PM.L1 release, pairs with PM.L2: the table goes before its size. */
        sync_u64_store_release(&linn_page_map.limit, PAGES);
    }
}

void linn_page_map_force_two_level(void) {
    void *flat = decide(&two_level_mark);
    LINN_CHECK(form_of(flat) == FORM_TWO_LEVEL);
}

/* The leaf of an address below 2^47, or NULL. */
static struct leaf *leaf_of(uintptr_t p) {
    /* PM.V2 acquire, pairs with PM.V1: the leaf is mapped and zero. */
    return sync_ptr_load_acquire(&leaves[p >> LEAF_SHIFT]);
}

static sync_u16 *leaf_entry(struct leaf *leaf, uintptr_t p) {
    return &leaf->entries[p >> LINN_MAP_SHIFT & (LEAF_PAGES - 1)];
}

static sync_u32 *leaf_slot(struct leaf *leaf, uintptr_t p) {
    return &leaf->slots[p >> LINN_GRANULE_SHIFT & (LEAF_GRANULES - 1)];
}

/* Where the entry and the slot of an address are, NULL when it has none. */
static sync_u16 *find_entry(uintptr_t p) {
    if (p >= ADDRESS_BYTES) return NULL;
    /* PM.F2 acquire, pairs with PM.F1: any address may be asked for, also by who
     * was handed nothing yet. */
    void *flat = sync_ptr_load_acquire(&linn_page_map.flat);
    if (form_of(flat) == FORM_FLAT) {
        return &((struct flat *)flat)->entries[p >> LINN_MAP_SHIFT];
    }
    struct leaf *leaf = leaf_of(p);
    return leaf == NULL ? NULL : leaf_entry(leaf, p);
}

static sync_u32 *find_slot(uintptr_t p) {
    if (p >= ADDRESS_BYTES) return NULL;
    /* PM.F2 acquire, pairs with PM.F1: any address may be asked for, also by who
     * was handed nothing yet. */
    void *flat = sync_ptr_load_acquire(&linn_page_map.flat);
    if (form_of(flat) == FORM_FLAT) {
        return &((struct flat *)flat)->slots[p >> LINN_GRANULE_SHIFT];
    }
    struct leaf *leaf = leaf_of(p);
    return leaf == NULL ? NULL : leaf_slot(leaf, p);
}

uint32_t linn_page_map_get(const void *p) {
    const sync_u16 *entry = find_entry((uintptr_t)p);
    /* PM.E2 relaxed: who may pass `p` was handed it. */
    return entry == NULL ? 0 : sync_u16_load_relaxed(entry);
}

uint32_t linn_page_map_slot(const void *p) {
    const sync_u32 *slot = find_slot((uintptr_t)p);
    if (slot == NULL) return LINN_NO_SLOT;
    /* PM.S2 relaxed: who may pass `p` was handed it.  0 - 1 is LINN_NO_SLOT. */
    return sync_u32_load_relaxed(slot) - 1;
}

static bool is_enabled(size_t unit) {
    /* PM.U2 acquire, pairs with PM.U1: the pages can be written. */
    uint64_t word = sync_u64_load_acquire(&enabled[unit / 64]);
    return word >> unit % 64 & 1;
}

static void mark_enabled(size_t unit) {
    /* PM.U1 acq_rel, pairs with PM.U2: after mprotect, which is idempotent, so
     * that two threads may both have done it. */
    sync_u64_fetch_or_acq_rel(&enabled[unit / 64], UINT64_C(1) << unit % 64);
}

/* Makes the bytes of the flat table from `first` to before `end` writable. */
static bool enable(struct flat *flat, const void *first, const void *end) {
    char *table = (char *)flat;
    size_t unit = (size_t)((const char *)first - table) >> UNIT_SHIFT;
    size_t last = (size_t)((const char *)end - table - 1) >> UNIT_SHIFT;
    for (; unit <= last; unit++) {
        if (is_enabled(unit)) continue;
        if (!linn_page_source_enable(table + (unit << UNIT_SHIFT),
                                     (size_t)1 << UNIT_SHIFT)) {
            return false;
        }
        mark_enabled(unit);
    }
    return true;
}

static bool make_flat_writable(struct flat *flat, uintptr_t base,
                               size_t bytes) {
    const sync_u16 *entries = &flat->entries[base >> LINN_MAP_SHIFT];
    const sync_u32 *slots = &flat->slots[base >> LINN_GRANULE_SHIFT];
    return enable(flat, entries, entries + (bytes >> LINN_MAP_SHIFT)) &&
           enable(flat, slots, slots + (bytes >> LINN_GRANULE_SHIFT));
}

static bool make_leaf(size_t index) {
    /* PM.V2 acquire, pairs with PM.V1. */
    if (sync_ptr_load_acquire(&leaves[index]) != NULL) return true;
    struct leaf *mine = linn_page_source_reserve(sizeof *mine);
    if (mine == NULL) return false;
    void *seen = NULL;
    /* PM.V1 acq_rel, pairs with PM.V2: one leaf, mapped before it is seen. */
    if (!sync_ptr_cas_acq_rel_acquire(&leaves[index], &seen, mine)) {
        linn_page_source_unmap(mine, sizeof *mine);
    }
    return true;
}

static bool make_leaves(uintptr_t base, size_t bytes) {
    size_t last = (base + bytes - 1) >> LEAF_SHIFT;
    for (size_t i = base >> LEAF_SHIFT; i <= last; i++) {
        if (!make_leaf(i)) return false;
    }
    return true;
}

/* Writes the word of each granule of [base, base + bytes). */
static void set_slots(uintptr_t base, size_t bytes, uint32_t value) {
    for (uintptr_t p = base; p < base + bytes; p += LINN_GRANULE_BYTES) {
        /* PM.S1 relaxed: the birth or death of the chunk orders it. */
        sync_u32_store_relaxed(find_slot(p), value);
    }
}

static bool is_granules(uintptr_t base, size_t bytes) {
    return (base | bytes) % LINN_GRANULE_BYTES == 0 && bytes > 0 &&
           bytes <= ADDRESS_BYTES && base <= ADDRESS_BYTES - bytes;
}

bool linn_page_map_add(const void *base, size_t bytes, uint32_t slot) {
    uintptr_t first = (uintptr_t)base;
    LINN_CHECK(is_granules(first, bytes));
    LINN_CHECK(slot != LINN_NO_SLOT);
    linn_page_map_init();
    /* PM.F2 acquire, pairs with PM.F1: decided by linn_page_map_init. */
    void *flat = sync_ptr_load_acquire(&linn_page_map.flat);
    bool writable = form_of(flat) == FORM_FLAT
                        ? make_flat_writable(flat, first, bytes)
                        : make_leaves(first, bytes);
    if (!writable) return false;
    set_slots(first, bytes, slot + 1);
    return true;
}

/* For LINN_INVARIANT. */
__attribute__((unused)) static bool has_no_entry(const char *base,
                                                 size_t bytes) {
    for (size_t i = 0; i < bytes; i += (size_t)1 << LINN_MAP_SHIFT) {
        if (linn_page_map_get(base + i) != 0) return false;
    }
    return true;
}

void linn_page_map_remove(const void *base, size_t bytes) {
    LINN_CHECK(is_granules((uintptr_t)base, bytes));
    LINN_INVARIANT(has_no_entry(base, bytes));
    set_slots((uintptr_t)base, bytes, 0);
}

void linn_page_map_set(const void *p, size_t bytes, uint32_t entry) {
    LINN_ASSERT(entry <= UINT16_MAX);
    uintptr_t page = (uintptr_t)p;
    uintptr_t end = page + bytes;
    sync_u16 *at = find_entry(page);
    while (page < end) {
        /* PM.E1 relaxed: the pointer's own hand-over publishes it. */
        sync_u16_store_relaxed(at, (uint16_t)entry);
        page += (uintptr_t)1 << LINN_MAP_SHIFT;
        at++;
        bool next_leaf = page % LEAF_ADDRESSES == 0;
        if (next_leaf && page < end) at = find_entry(page);
    }
}
