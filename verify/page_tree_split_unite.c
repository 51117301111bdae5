/* Two groups of pages lie free in their leaf words.  Two threads claim pages there,
 * one wants a whole group, and so unites one: then the others must split a group
 * again.  Pages in transit may make a claim fail, and never get lost or come twice.
 *
 * The sum of all wishes is below what there is, so each is reserved (P2). */

#include "alloc/page_tree.h"
#include "sync/section.h"
#include "verify/scenario.h"

#define PAGES   128
#define TOUCHED 3 /* pages of a group that are written */

static struct linn_page_tree tree;
static struct linn_section section;
static long payload[PAGES];
static long pages_used[3];
static uint32_t got[3];

static uint32_t claim(uint32_t k, uint32_t order) {
    linn_section_enter(&section);
    uint32_t page = linn_page_tree_claim(&tree, PAGES, k, order);
    linn_section_leave(&section);
    return page;
}

static void release(uint32_t page, uint32_t k) {
    linn_section_enter(&section);
    bool done = linn_page_tree_release(&tree, page, k);
    linn_section_leave(&section);
    LINN_SCENARIO_CHECK(done);
}

static void before(void) {
    linn_page_tree_init(&tree, PAGES);
    uint32_t group = claim(64, 6), page = claim(1, 0);
    release(group, 64);
    release(page, 1);
    for (int t = 0; t < 3; t++) {
        pages_used[t] = 0;
        got[t] = LINN_NO_PAGE;
    }
    for (int p = 0; p < PAGES; p++)
        payload[p] = 0;
}

static void use(int me, uint32_t page, uint32_t k) {
    got[me] = page;
    if (page == LINN_NO_PAGE) return;
    for (uint32_t p = page; p < page + k; p++)
        linn_scenario_touch(&payload[p]);
    pages_used[me] += k;
}

static void thread0(void) {
    uint32_t page = claim(1, 0);
    use(0, page, 1);
    if (page != LINN_NO_PAGE) release(page, 1);
}

static void thread1(void) {
    linn_section_enter(&section);
    uint32_t page = linn_page_tree_claim_groups(&tree, PAGES, 1);
    linn_section_leave(&section);
    use(1, page, TOUCHED);
    if (page == LINN_NO_PAGE) return;
    linn_section_enter(&section);
    bool done = linn_page_tree_release_groups(&tree, page, 1);
    linn_section_leave(&section);
    LINN_SCENARIO_CHECK(done);
}

static void thread2(void) {
    uint32_t page = claim(2, 1);
    use(2, page, 2);
    if (page != LINN_NO_PAGE) release(page, 2);
}

enum { ALL_SERVED, BOTH_GROUPS, NO_GROUP, NO_PAGES };

static void after(void) {
    long used = 0, written = 0;
    for (int t = 0; t < 3; t++)
        used += pages_used[t];
    for (int p = 0; p < PAGES; p++)
        written += payload[p];
    LINN_SCENARIO_CHECK(written == used);
    LINN_SCENARIO_CHECK(linn_page_tree_is_valid_quiescent(&tree, PAGES));
    LINN_SCENARIO_CHECK(linn_page_tree_free_pages(&tree) == PAGES);
    bool small = got[0] != LINN_NO_PAGE && got[2] != LINN_NO_PAGE;
    if (small && got[1] != LINN_NO_PAGE) linn_scenario_saw(ALL_SERVED);
    if (small && got[0] / 64 != got[2] / 64) linn_scenario_saw(BOTH_GROUPS);
    if (got[1] == LINN_NO_PAGE) linn_scenario_saw(NO_GROUP);
    if (!small) linn_scenario_saw(NO_PAGES);
}

LINN_SCENARIO(
    page_tree_split_unite,
    .labels = "PT.C1 PT.C2 PT.F1 PT.F2 PT.S1 PT.U1 PT.U2",
    .bound = "2 groups; runs of 1 and 2 pages and a whole group, once",
    .before = before, .thread = {thread0, thread1, thread2}, .after = after,
    .outcome = {[ALL_SERVED] = "all three served",
                [BOTH_GROUPS] = "?the small runs in two groups",
                [NO_GROUP] = "?no whole group found",
                [NO_PAGES] = "?no small run found"},
    .rounds = 100000);
