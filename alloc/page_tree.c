#define SYNC_LAYER LINN_COUNT_PAGE_TREE
#include "alloc/page_tree.h"

/* Bits at the multiples of 2^order. */
static const uint64_t aligned_positions[7] = {
    UINT64_MAX,
    UINT64_C(0x5555555555555555),
    UINT64_C(0x1111111111111111),
    UINT64_C(0x0101010101010101),
    UINT64_C(0x0001000100010001),
    UINT64_C(0x0000000100000001),
    1,
};

static uint64_t ones(uint32_t k) {
    return k >= 64 ? UINT64_MAX : (UINT64_C(1) << k) - 1;
}

static uint32_t group_count(uint32_t pages) {
    return pages / LINN_TREE_GROUP_PAGES;
}

uint32_t linn_find_run(uint64_t word, uint32_t k, uint32_t order) {
    /* After each step bit i says that `have` ones begin at i. */
    uint32_t have = 1;
    while (have < k && word != 0) {
        uint32_t step = have < k - have ? have : k - have;
        word &= word >> step;
        have += step;
    }
    word &= aligned_positions[order];
    return word == 0 ? 64 : (uint32_t)__builtin_ctzll(word);
}

void linn_page_tree_init(struct linn_page_tree *tree, uint32_t pages) {
    uint32_t groups = group_count(pages);
    sync_u64_store_relaxed(&tree->root, ones(groups) & ones(32)); /* PT.N1 */
    sync_u32_store_relaxed(&tree->hint, 0);                       /* PT.H4 */
    for (uint32_t g = 0; g < LINN_TREE_GROUPS; g++) {
        uint64_t bits = groups == 0 && g == 0 ? ones(pages) : 0;
        sync_u64_store_relaxed(&tree->leaf[g], bits); /* PT.N2 */
    }
}

static uint32_t claim_in_leaf(struct linn_page_tree *tree, uint32_t g,
                              uint32_t k, uint32_t order) {
    uint64_t seen = sync_u64_load_relaxed(&tree->leaf[g]); /* PT.H2 */
    for (;;) {
        uint32_t at = linn_find_run(seen, k, order);
        if (at == 64) return LINN_NO_PAGE;
        uint64_t rest = seen & ~(ones(k) << at);
        /* PT.C2 acquire, pairs with PT.F2 and PT.S1: what the last user did to
         * these pages happens before what we do. */
        if (sync_guarded_u64_cas_acquire_relaxed(&tree->leaf[g], &seen, rest)) {
            return g * LINN_TREE_GROUP_PAGES + at;
        }
    }
}

/* Claims the lowest aligned run of groups in the root word; 64 when none. */
static uint32_t claim_in_root(struct linn_page_tree *tree, uint32_t groups,
                              uint32_t order) {
    uint64_t seen = sync_u64_load_relaxed(&tree->root); /* PT.H1 */
    for (;;) {
        uint32_t at = linn_find_run(seen, groups, order);
        if (at == 64) return 64;
        uint64_t rest = seen & ~(ones(groups) << at);
        /* PT.C1 acquire, pairs with PT.F1 and PT.U1: the last users of these
         * groups are done with them. */
        if (sync_guarded_u64_cas_acquire_relaxed(&tree->root, &seen, rest)) {
            return at;
        }
    }
}

uint32_t linn_page_tree_claim(struct linn_page_tree *tree, uint32_t pages,
                              uint32_t k, uint32_t order) {
    uint32_t groups = group_count(pages);
    uint32_t words = groups == 0 ? 1 : groups;
    uint32_t first = sync_u32_load_relaxed(&tree->hint); /* PT.H3 */
    for (uint32_t i = 0; i < words; i++) {
        uint32_t g = (first + i) & (words - 1);
        uint32_t page = claim_in_leaf(tree, g, k, order);
        if (page == LINN_NO_PAGE) continue;
        if (i != 0) sync_u32_store_relaxed(&tree->hint, g); /* PT.H4 */
        return page;
    }
    uint32_t g = claim_in_root(tree, 1, 0);
    if (g == 64) return LINN_NO_PAGE;
    uint64_t rest = ~ones(k);
    if (rest != 0) {
        /* PT.S1 release, pairs with PT.C2 and PT.U2: the claim of the group
         * (PT.C1) happens before any claim of these pages. */
        sync_guarded_u64_fetch_or_release(&tree->leaf[g], rest);
    }
    sync_u32_store_relaxed(&tree->hint, g); /* PT.H4 */
    return g * LINN_TREE_GROUP_PAGES;
}

/* Whether all pages of group g are free in the root word. */
static bool is_in_root(const struct linn_page_tree *tree, uint32_t g) {
    return (sync_u64_load_relaxed(&tree->root) >> g & 1) != 0; /* PT.H1 */
}

/* Whether a page of group g is free in its leaf word. */
static bool is_in_leaf(const struct linn_page_tree *tree, uint32_t g) {
    return sync_u64_load_relaxed(&tree->leaf[g]) != 0; /* PT.H2 */
}

/* Who owns pages has the claim of them behind it, so the looks at the other level
 * below (relaxed) show a rightful owner no free page of its own, and a double free
 * is refused also when the pages have moved between the levels since (P1). */
bool linn_page_tree_release(struct linn_page_tree *tree, uint32_t first,
                            uint32_t k) {
    uint32_t g = first / LINN_TREE_GROUP_PAGES;
    uint64_t bits = ones(k) << first % LINN_TREE_GROUP_PAGES;
    /* A loop and not a fetch_or, because the old value tells a double free, and a
     * fetch_or whose result is used is the same loop on x86. */
    uint64_t seen = sync_u64_load_relaxed(&tree->leaf[g]); /* PT.H2 */
    do {
        if (seen & bits) return false;
        if (seen == 0 && is_in_root(tree, g)) return false;
        /* PT.F2 release, pairs with PT.C2 and PT.U2: our accesses to the pages
         * happen before the next user's. */
    } while (!sync_guarded_u64_cas_release_relaxed(&tree->leaf[g], &seen,
                                                   seen | bits));
    return true;
}

/* Moves every full leaf word to the root.  The caller's reservation keeps the
 * chunk alive while a group is in neither word (P2). */
static bool unite(struct linn_page_tree *tree, uint32_t groups) {
    bool moved = false;
    for (uint32_t g = 0; g < groups; g++) {
        uint64_t seen = sync_u64_load_relaxed(&tree->leaf[g]); /* PT.H2 */
        if (seen != UINT64_MAX) continue;
        /* PT.U2 acquire, pairs with PT.F2 and PT.S1: all users of the group are
         * done, and PT.U1 passes that on. */
        if (!sync_guarded_u64_cas_acquire_relaxed(&tree->leaf[g], &seen, 0)) {
            continue;
        }
        /* PT.U1 release, pairs with PT.C1. */
        sync_guarded_u64_fetch_or_release(&tree->root, UINT64_C(1) << g);
        moved = true;
    }
    return moved;
}

uint32_t linn_page_tree_claim_groups(struct linn_page_tree *tree,
                                     uint32_t pages, uint32_t groups) {
    uint32_t order = 0;
    while (UINT32_C(1) << order < groups)
        order++;
    uint32_t at = claim_in_root(tree, groups, order);
    if (at == 64 && unite(tree, group_count(pages))) {
        at = claim_in_root(tree, groups, order);
    }
    return at == 64 ? LINN_NO_PAGE : at * LINN_TREE_GROUP_PAGES;
}

bool linn_page_tree_release_groups(struct linn_page_tree *tree, uint32_t first,
                                   uint32_t groups) {
    uint32_t g = first / LINN_TREE_GROUP_PAGES;
    for (uint32_t i = g; i < g + groups; i++) {
        if (is_in_leaf(tree, i)) return false;
    }
    uint64_t bits = ones(groups) << g;
    uint64_t seen = sync_u64_load_relaxed(&tree->root); /* PT.H1 */
    do {
        if (seen & bits) return false;
        /* PT.F1 release, pairs with PT.C1: our accesses to the groups happen
         * before the next user's. */
    } while (
        !sync_guarded_u64_cas_release_relaxed(&tree->root, &seen, seen | bits));
    return true;
}

uint32_t linn_page_tree_free_pages(const struct linn_page_tree *tree) {
    uint64_t root = sync_u64_load_relaxed(&tree->root); /* PT.H1 */
    uint32_t n = (uint32_t)__builtin_popcountll(root) * LINN_TREE_GROUP_PAGES;
    for (uint32_t g = 0; g < LINN_TREE_GROUPS; g++) {
        uint64_t word = sync_u64_load_relaxed(&tree->leaf[g]); /* PT.H2 */
        n += (uint32_t)__builtin_popcountll(word);
    }
    return n;
}

bool linn_page_tree_is_valid_quiescent(const struct linn_page_tree *tree,
                                       uint32_t pages) {
    uint32_t groups = group_count(pages);
    uint64_t root = sync_u64_load_relaxed(&tree->root); /* PT.H1 */
    if (root & ~(ones(groups) & ones(32))) return false;
    for (uint32_t g = 0; g < LINN_TREE_GROUPS; g++) {
        uint64_t word = sync_u64_load_relaxed(&tree->leaf[g]); /* PT.H2 */
        uint32_t in_word = g < groups ? 64 : groups == 0 && g == 0 ? pages : 0;
        if (word & ~ones(in_word)) return false;
        if (word != 0 && root >> g & 1) return false; /* P1 */
    }
    return linn_page_tree_free_pages(tree) <= pages;
}
