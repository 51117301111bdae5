#ifndef LINN_ALLOC_PAGE_SOURCE_H_
#define LINN_ALLOC_PAGE_SOURCE_H_

/* page_source: memory from the operating system and back, and nothing else.
 *
 * Every call that linn makes for memory goes through here, so that a test can
 * make each of them fail in turn, a pool can count them, and one place knows
 * which madvise fits which kind of memory.
 *
 * Progress: as the kernel's; linn holds nothing while it is inside.
 * Signals: every function may be called from a handler.  errno is kept. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ATOMIC calls and faults, statistics
 *   PS.C1 count   fetch_add  relaxed  nothing hangs on it
 *   PS.C2 read    load       relaxed  the same
 * ATOMIC plan, which calls fail: mode:2 | argument:62
 *   PS.P1 set     store      relaxed  a test starts its threads afterwards
 *   PS.P2 look    load       relaxed  a hint; PS.P3 decides
 *   PS.P3 count   cas        relaxed  only the word itself is decided
 * ATOMIC visitor, what a test wants to happen inside the next call, or NULL
 *   PS.V1 set     store      release  pairs PS.V3  what it needs is there
 *   PS.V2 look    load       relaxed  a hint; PS.V3 decides
 *   PS.V3 take    exchange   acquire  pairs PS.V1  it comes once
 * ATOMIC dice, how many throws of fail_every there were
 *   PS.D1 throw   fetch_add  relaxed  any number will do
 * One for the process. */
struct linn_page_source_state {
    sync_u64 calls;
    sync_u64 faults;
    sync_u64 plan;
    sync_u64 dice;
    sync_ptr visitor;
};
extern struct linn_page_source_state linn_page_source_state;

/* Fresh zeroed memory of `bytes` (a multiple of the OS page), aligned to
 * `alignment` (a power of two); NULL when refused.  One call to the system when
 * the address that it chooses is aligned by luck, else two to five. */
void *linn_page_source_map(size_t bytes, size_t alignment);

/* Zeroed memory that is mostly never touched (descriptors, tables): reserved
 * without being charged, but under strict overcommit (vm.overcommit_memory = 2),
 * which charges whatever is writable.  For what is small enough to be charged: 17
 * MiB for 64 chunks, 1 MiB for 16 thread caches, 2 MiB for a pool's arenas. */
void *linn_page_source_reserve(size_t bytes);

/* The same, readable only, which no overcommit mode charges;
 * linn_page_source_enable makes a part of it writable (false: refused).  p and
 * bytes are multiples of the OS page; a part may be enabled twice. */
void *linn_page_source_reserve_readable(size_t bytes);
bool linn_page_source_enable(void *p, size_t bytes);

/* Gives the memory and its addresses back, of either kind.  Where the kernel
 * cannot (it must split a mapping and has 65,530 of them already), the memory
 * goes back all the same and the addresses are lost. */
void linn_page_source_unmap(void *p, size_t bytes);

/* Gives the memory back and keeps the addresses; it reads as zero afterwards.  Not
 * called yet: free pages inside live chunks go back by it (lifetimes).
 * For memory of linn_page_source_map: private and anonymous, locked or not. */
void linn_page_source_purge(void *p, size_t bytes);

/* Calls made since the process began: mmap, munmap, madvise and mprotect. */
uint64_t linn_page_source_calls(void);

/* Faults for tests.  fail_after(n): the n-th call from now (0: the next) that
 * may fail does, and only that; fail_always: every one does;
 * fail_every(n): about one in n, at random; fail_never: back to normal.
 * mmap and mprotect may fail.  `faults` counts those injected; an injected
 * fault is no call.  Any thread, while others allocate. */
void linn_page_source_fail_after(uint64_t n);
void linn_page_source_fail_always(void);
void linn_page_source_fail_every(uint32_t one_in_n);
void linn_page_source_fail_never(void);
uint64_t linn_page_source_faults(void);

/* For tests: the next call that may fail is preceded by visit(), once; as if a
 * signal handler, or another thread, came in between. */
void linn_page_source_visit_next(void (*visit)(void));

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_PAGE_SOURCE_H_ */
