#ifndef LINN_ALLOC_PAGE_TREE_H_
#define LINN_ALLOC_PAGE_TREE_H_

/* page_tree: the free pages of one chunk, as a buddy tree packed into words.
 *
 *     root     1 1 0 1 ...       32 bits, one a group: the whole group is free
 *     leaf[2]  0 0 1 1 1 1 ...   64 bits, one a page of group 2
 *
 * A bit is 1 when free, and a page is in exactly one place: under a root bit, in
 * a leaf bit, or owned by one thread.  A block of order n is an aligned run of
 * 2^n one-bits (orders 0 to 5 in a leaf word, 6 to 11 in the root word), so
 * nothing lies between the two levels, and claiming is one compare-and-swap of
 * the word that holds the bits, at any order.  A run takes k of the 2^n pages,
 * so sizes between powers of two waste nothing.
 *
 * Whoever cleared a bit owns that memory.  Split: claim a group in the root, then
 * publish what is left over in its leaf word.  Coalescing is lazy: a leaf word
 * that is full again stays until somebody wants whole groups (eager coalescing
 * costs 34 ns a pair instead of 14).
 *
 *     (P1)  each page is in one place only
 *     (P2)  bits move only under a reservation of as many pages (alloc/chunk.h),
 *           so a chunk whose guard says "0 used" has all of its bits here
 *
 * Progress: lock-free; a claim that fails may do so because another thread has
 * pages in transit, so "none" is not linearizable, as in every buddy that scans.
 * A thread killed between claim and publish keeps one group (512 KiB) from use.
 * Cost: one locked instruction to claim, one to release; two more to split.
 * Source: the buddy tree is Netty's PoolChunk before 4.1.52; word packing and
 * the reservation before the search are LLFree's (Wrenger et al., ATC'23).
 * Spec: tla/PageTree.tla.  Checked by: alloc/page_tree_test.cc. */

#include <stdbool.h>
#include <stdint.h>

#include "sync/atomic.h"
#include "sync/section.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_TREE_GROUPS      32
#define LINN_TREE_GROUP_PAGES 64
#define LINN_TREE_PAGES_MAX   (LINN_TREE_GROUPS * LINN_TREE_GROUP_PAGES)
#define LINN_NO_PAGE          UINT32_MAX

/* ATOMIC root, bit g guards the 64 pages of group g
 *   PT.H1 search  load      relaxed  hint; PT.C1 decides
 *   PT.C1 claim   cas       acquire  pairs PT.F1 PT.U1  last user is done
 *   PT.F1 free    cas       release  pairs PT.C1
 *   PT.U1 unite   fetch_or  release  pairs PT.C1
 *   PT.N1 init    store     relaxed  the chunk's guard publishes it
 * ATOMIC leaf[g], bit i guards page i of group g
 *   PT.H2 search  load      relaxed  hint; PT.C2 decides
 *   PT.C2 claim   cas       acquire  pairs PT.F2 PT.S1  last user is done
 *   PT.F2 free    cas       release  pairs PT.C2 PT.U2
 *   PT.S1 split   fetch_or  release  pairs PT.C2 PT.U2
 *   PT.U2 unite   cas       acquire  pairs PT.F2 PT.S1  all users are done
 *   PT.N2 init    store     relaxed  the chunk's guard publishes it
 * ATOMIC hint, the group that served last
 *   PT.H3 search  load      relaxed  where to begin; decides nothing
 *   PT.H4 note    store     relaxed  decides nothing */
struct linn_page_tree {
    sync_u64 root;
    sync_u32 hint;
    sync_u64 leaf[LINN_TREE_GROUPS] __attribute__((aligned(64)));
};

/* Makes all `pages` (a power of two up to 2048) free.  Called by the one owner
 * of a chunk that is not LIVE. */
void linn_page_tree_init(struct linn_page_tree *tree, uint32_t pages);

/* Claims the first k pages of an aligned block of 2^order pages, k <= 2^order
 * <= 64, splitting a group where no leaf word has room.  The first page's
 * number, or LINN_NO_PAGE.  The caller has reserved k pages. */
uint32_t linn_page_tree_claim(struct linn_page_tree *tree, uint32_t pages,
                              uint32_t k, uint32_t order);

/* Gives k pages back that were claimed as one run.  False, and nothing is
 * changed, when one of them is free already: a double free. */
bool linn_page_tree_release(struct linn_page_tree *tree, uint32_t first,
                            uint32_t k);

/* Claims `groups` whole groups in an aligned block of the next power of two,
 * uniting full leaf words where the root word has no room.  The first page's
 * number, or LINN_NO_PAGE.  The caller has reserved 64 pages for each. */
uint32_t linn_page_tree_claim_groups(struct linn_page_tree *tree,
                                     uint32_t pages, uint32_t groups);

bool linn_page_tree_release_groups(struct linn_page_tree *tree, uint32_t first,
                                   uint32_t groups);

/* Free pages; exact only while nobody claims or releases. */
uint32_t linn_page_tree_free_pages(const struct linn_page_tree *tree);

/* (P1) for the pages that are free: none under a root bit and in a leaf too.
 * Only while nobody claims or releases. */
bool linn_page_tree_is_valid_quiescent(const struct linn_page_tree *tree,
                                       uint32_t pages);

/* The lowest position, a multiple of 2^order, at which k bits of `word` are set;
 * 64 when there is none.  Pure; for tests. */
uint32_t linn_find_run(uint64_t word, uint32_t k, uint32_t order);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_PAGE_TREE_H_ */
