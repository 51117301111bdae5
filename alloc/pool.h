#ifndef LINN_ALLOC_POOL_H_
#define LINN_ALLOC_POOL_H_

/* pool: makes and ends pool cores, and finds the core of a handle.
 *
 * The default pool (core 0) is built by the library's constructor.  A call that
 * comes before it, from another constructor, builds it; a thread that meets it
 * half built by another does not wait: its requests take the huge path, which
 * needs no pool.
 *
 * Spec: none (one CAS a life).  Checked by: alloc/pool_test.cc */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/linn.h"
#include "alloc/pool_core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The core of a handle, built; NULL after a misuse report of `function` when the
 * pool is dead or no pool. */
struct linn_pool_core *linn_pool_find(linn_pool *handle, const char *function);

/* Whether the core has arenas to allocate from. */
bool linn_pool_is_pooled(const struct linn_pool_core *core);

/* Takes back what can be had without taking anything from a user: caches of dead
 * threads, caches of all threads that are not inside them, wholly free subpages,
 * empty chunks.  After a refusal of the operating system. */
void linn_pool_reclaim(struct linn_pool_core *core);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_POOL_H_ */
