#ifndef LINN_ALLOC_PAGE_MAP_H_
#define LINN_ALLOC_PAGE_MAP_H_

/* page_map: from an address to what linn knows of it, without touching the
 * memory there.
 *
 *     entry  one 16-bit word for each 4 KiB of address space:
 *            pool:8 | class:7 | 0
 *            0 is "not ours", so map, bounds and class are one load
 *     slot   one 32-bit word for each granule of 1 MiB: the chunk's slot + 1
 *
 * An entry is written before the first pointer into its page is handed out, and
 * cleared before the page goes back; who frees a pointer got it from somebody,
 * so relaxed accesses are enough (PM.*).  An unknown pointer is detected, never
 * dereferenced.
 *
 * The table is flat: 64 GiB of address space and 512 MiB for the slots,
 * reserved readable (so strict overcommit does not count it) and made writable
 * in units of 64 KiB (128 MiB of addresses) when a chunk is born there.  Where
 * the reservation is refused (`ulimit -v`), a two-level table of leaves, each
 * 2 MiB for 4 GiB of addresses, takes its place: `limit` stays 0, which sends
 * every fast look-up to the slow path, and nothing else changes.
 *
 * Progress: lock-free; look-ups are wait-free.  Any thread, any signal handler.
 * Cost: a look-up is one compare and one load. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_MAP_SHIFT     12
#define LINN_GRANULE_SHIFT 20
#define LINN_GRANULE_BYTES ((size_t)1 << LINN_GRANULE_SHIFT)
/* A build for valgrind, which maps low and refuses 64 GiB, sets 45. */
#ifndef LINN_ADDRESS_BITS
#define LINN_ADDRESS_BITS 47
#endif

/* The class stands doubled in an entry: so the place of a pointer of it is one
 * scaled operand, and so is that of a pair of words, indexed by pool as well. */
#define LINN_MAP_CLASSES 128
static inline uint32_t linn_entry_class(size_t entry) {
    return (uint32_t)(entry & 0xff) >> 1;
}
static inline uint32_t linn_entry_pool(size_t entry) {
    return (uint32_t)(entry >> 8);
}

/* Classes above LINN_CLASSES_MAX that only the map knows. */
#define LINN_MAP_GROUPS 126 /* first page of a run of whole groups */
#define LINN_MAP_HUGE   127 /* first page of a huge block */

/* ATOMIC limit, entries of the flat table that exist (address >> 12); 0 until
 * then, and for ever in the two-level form
 *   PM.L1 init   store  release  pairs PM.L2
 *   PM.L2 get    load   acquire  pairs PM.L1  `flat` is decided before
 * ATOMIC flat, the form: NULL not decided, the flat table, or a mark that says
 * two-level; decided once
 *   PM.F1 init   cas    acq_rel  pairs PM.F2  decides
 *   PM.F2 init   load   acquire  pairs PM.F1
 *   PM.F3 get    load   relaxed  PM.L2 came first
 * ATOMIC entries of either form, who owns the page owns its entry
 *   PM.E1 set    store  relaxed  the pointer's own hand-over publishes it
 *   PM.E2 get    load   relaxed  a holder's pointer was handed over
 * ATOMIC slots of granules, written by who gives birth to the chunk or ends it
 *   PM.S1 add    store  relaxed  the pointer's own hand-over publishes it
 *   PM.S2 get    load   relaxed  a holder's pointer was handed over
 * ATOMIC enabled, one bit for each 64 KiB of the flat tables that is writable;
 * bits are never cleared
 *   PM.U1 add    fetch_or  acq_rel  pairs PM.U2  mprotect came first
 *   PM.U2 add    load      acquire  pairs PM.U1
 * ATOMIC leaves, the root of the two-level form; set once
 *   PM.V1 add    cas    acq_rel  pairs PM.V2  the leaf is zero
 *   PM.V2 get    load   acquire  pairs PM.V1 */
struct linn_page_map {
    sync_u64 limit;
    sync_ptr flat;
};
extern struct linn_page_map linn_page_map __attribute__((visibility("hidden")));

/* Decides the form; idempotent, any thread.  It cannot fail: the root of the
 * two-level form is static, its leaves are made by linn_page_map_add. */
void linn_page_map_init(void);

/* Whether the flat table has an entry for `p`: the inline part of a look-up. */
static inline bool linn_page_map_is_flat(uintptr_t p) {
    /* PM.L2 acquire, pairs with PM.L1: a limit above 0 comes with its table. */
    return p >> LINN_MAP_SHIFT < sync_u64_load_acquire(&linn_page_map.limit);
}

/* That entry. */
static inline size_t linn_page_map_get_flat(uintptr_t p) {
    /* PM.F3 relaxed: PM.L2 has seen it decided. */
    const sync_u16 *flat =
        (const sync_u16 *)sync_ptr_load_relaxed(&linn_page_map.flat);
    return sync_u16_load_relaxed(&flat[p >> LINN_MAP_SHIFT]); /* PM.E2 */
}

/* The entry of any address whatever, 0 when it is not ours; either form. */
uint32_t linn_page_map_get(const void *p);

/* Makes the entries of [base, base + bytes) writable and gives its granules to
 * chunk slot `slot`.  base and bytes are multiples of the granule.  False, and
 * nothing is changed, when there is no memory for it. */
bool linn_page_map_add(const void *base, size_t bytes, uint32_t slot);

/* Takes the granules back.  The entries are 0 already, by their owners. */
void linn_page_map_remove(const void *base, size_t bytes);

/* Writes the entries of [p, p + bytes), multiples of 4 KiB, inside a range that
 * was added.  The caller owns those pages. */
void linn_page_map_set(const void *p, size_t bytes, uint32_t entry);

/* The chunk slot that the granule of `p` belongs to, or LINN_NO_SLOT. */
#define LINN_NO_SLOT UINT32_MAX
uint32_t linn_page_map_slot(const void *p);

/* For tests: act as if the flat table had been refused.  Before first use. */
void linn_page_map_force_two_level(void);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_PAGE_MAP_H_ */
