#ifndef LINN_ALLOC_HUGE_H_
#define LINN_ALLOC_HUGE_H_

/* huge: blocks that no chunk holds, each a mapping of its own.
 *
 * Also the whole of an unpooled pool (0 arenas), as in Netty.  A block takes a
 * chunk slot, whose guard says HUGE while it lives, and whole granules (1 MiB) of
 * addresses; memory only where it is touched.
 *
 *     (H1)  the map entry of the first page is set before the pointer is handed
 *           out, and cleared before the mapping goes: the CAS of the guard
 *           HUGE -> DEAD decides which of two frees does it
 *
 * Progress: as the kernel's mmap; nothing is held while inside.
 * Cost: two system calls a pair.  Source: Netty's huge ("unpooled") chunks.
 * Spec: tla/Huge.tla.  Scenario: verify/huge_free.c.  Checked by:
 * alloc/huge_test.cc. */

#include <stdbool.h>
#include <stddef.h>

#include "alloc/pool_core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A block of at least `bytes`, aligned to `alignment` (a power of two); NULL when
 * the system refuses.  The contents are zero. */
void *linn_huge_take(struct linn_pool_core *pool, size_t bytes,
                     size_t alignment);

/* False: `block` is no live huge block (any more), and nothing is changed. */
bool linn_huge_give(void *block);

/* The size of a live huge block. */
size_t linn_huge_bytes(const struct linn_chunk *chunk);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_HUGE_H_ */
