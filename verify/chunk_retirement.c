/* Two threads use a page of a chunk, a third retires the chunk when nobody is
 * inside, owns it alone, and begins the next life in the same place: another base,
 * a fresh tree.  A user of the life before must not come into it by what it saw.
 *
 * `base` is written at birth with a plain store and read by the users. */

#include "alloc/chunk.h"
#include "sync/section.h"
#include "verify/scenario.h"

#define PAGES 4

static struct linn_chunk chunk;
static struct linn_bands bands;
static struct linn_section section;
static char memory[2]; /* what base may be; no page is ever touched */
static long payload[PAGES];
static long uses[3], collected;
static int retired, refused[3];

static void born(int life) {
    linn_page_tree_init(&chunk.tree, PAGES);
    chunk.base = &memory[life];
    (void)linn_chunk_born(&chunk, &bands, 0, 0);
}

static void before(void) {
    linn_bands_init(&bands, PAGES);
    struct linn_guard g = linn_chunk_look(&chunk);
    g.state = LINN_CHUNK_DEAD;
    g.gen++;
    sync_u64_store_release(&chunk.guard, linn_guard_pack(g));
    born(0);
    for (int p = 0; p < PAGES; p++)
        payload[p] = 0;
    for (int t = 0; t < 3; t++)
        uses[t] = refused[t] = 0;
    collected = 0;
    retired = 0;
}

static void use(int me, uint32_t k, uint32_t order) {
    linn_section_enter(&section);
    uint64_t seen = sync_u64_load_acquire(&chunk.guard);
    bool in = linn_chunk_reserve(&chunk, &bands, seen, k).done;
    uint32_t page = LINN_NO_PAGE;
    if (in) page = linn_page_tree_claim(&chunk.tree, PAGES, k, order);
    linn_section_leave(&section);
    if (!in) {
        refused[me]++;
        return;
    }
    LINN_SCENARIO_CHECK(chunk.base == &memory[0] || chunk.base == &memory[1]);
    if (page != LINN_NO_PAGE) {
        for (uint32_t p = page; p < page + k; p++) {
            linn_scenario_touch(&payload[p]);
        }
        uses[me] += k;
    }
    linn_section_enter(&section);
    bool done =
        page == LINN_NO_PAGE || linn_page_tree_release(&chunk.tree, page, k);
    (void)linn_chunk_return(&chunk, &bands, k);
    linn_section_leave(&section);
    LINN_SCENARIO_CHECK(done);
}

static void thread0(void) {
    use(0, 1, 0);
#if !LINN_SCENARIO_SMALL
    use(0, 1, 0);
#endif
}

static void thread1(void) {
    use(1, 2, 1);
}

static void thread2(void) {
    linn_section_enter(&section);
    uint64_t seen = sync_u64_load_acquire(&chunk.guard);
    uint32_t band;
    bool mine = linn_chunk_retire(&chunk, seen, &band);
    linn_section_leave(&section);
    if (!mine) return;
    retired++;
    for (int p = 0; p < PAGES; p++) {
        linn_scenario_touch(&payload[p]);
        collected += payload[p] - 1;
        payload[p] = 0;
    }
    linn_section_enter(&section);
    born(1);
    linn_section_leave(&section);
}

enum { RETIRED, IN_USE, MET_THE_DEAD };

static void after(void) {
    long used = 0, written = collected;
    for (int t = 0; t < 3; t++)
        used += uses[t];
    for (int p = 0; p < PAGES; p++)
        written += payload[p];
    LINN_SCENARIO_CHECK(written == used);
    LINN_SCENARIO_CHECK(linn_chunk_is_valid_quiescent(&chunk, &bands));
    LINN_SCENARIO_CHECK(linn_chunk_look(&chunk).used == 0);
    linn_scenario_saw(retired > 0 ? RETIRED : IN_USE);
    if (refused[0] + refused[1] > 0) linn_scenario_saw(MET_THE_DEAD);
}

LINN_SCENARIO(
    chunk_retirement, .labels = "CH.H1 CH.R1 CH.F1 CH.D1 CH.B1 PT.C2 PT.F2",
    .bound = "4 pages; runs of 1, 1 and 2; one retirement and rebirth",
    .before = before, .thread = {thread0, thread1, thread2}, .after = after,
    .outcome = {[RETIRED] = "retired and born again",
                [IN_USE] = "?in use, so not retired",
                [MET_THE_DEAD] = "?a user met it dead, or reborn"},
    .rounds = 100000);
