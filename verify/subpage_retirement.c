/* Two threads use a subpage of two elements, and each then pops it: who finds all
 * of it free retires it, owns the run alone, writes all of it with plain accesses,
 * and begins the next life in the same place with one element fewer. */

#include "alloc/subpage.h"
#include "sync/section.h"
#include "verify/scenario.h"

static struct linn_subpage sp; /* of class n: it has n elements */
static struct linn_tagged_stack stack;
static struct linn_section section;
static long payload[2];
static long uses[2], collected[2];
static int kept[2], dropped[2], retired[2];

static void push(void) {
    linn_section_enter(&section);
    linn_tagged_stack_push(&stack, &sp.node);
    linn_section_leave(&section);
}

/* Ends the last round's life, whatever it was. */
static void before(void) {
    linn_tagged_stack_init(&stack, 0);
    struct linn_subpage_guard g = linn_subpage_look(&sp);
    g.state = LINN_SUBPAGE_DEAD;
    g.gen++;
    sync_u64_store_release(&sp.guard, linn_subpage_guard_pack(g));
    if (linn_subpage_born(&sp, 2, 2, 0)) push();
    for (int t = 0; t < 2; t++) {
        payload[t] = uses[t] = collected[t] = 0;
        kept[t] = dropped[t] = retired[t] = 0;
    }
}

static void use(int me) {
    struct linn_top top;
    struct linn_elements e;
    uint32_t n = 0;
    linn_section_enter(&section);
    if (linn_tagged_stack_look(&stack, &top)) {
        uint64_t seen = sync_u64_load_acquire(&sp.guard);
        if (linn_tagged_stack_is_still(&stack, &top)) {
            n = linn_subpage_reserve(&sp, seen, 1);
        }
    }
    if (n > 0) linn_subpage_claim(&sp, n, &e);
    linn_section_leave(&section);
    if (n == 0) return;
    int element = e.word[0] == 1 ? 0 : 1;
    linn_scenario_touch(&payload[element]);
    uses[me]++;
    linn_section_enter(&section);
    uint32_t doubles = linn_subpage_set_bits(&sp, &e);
    bool list = linn_subpage_leave(&sp, 1);
    if (list) linn_tagged_stack_push(&stack, &sp.node);
    linn_section_leave(&section);
    LINN_SCENARIO_CHECK(doubles == 0);
}

static void collect(int me) {
    linn_section_enter(&section);
    struct linn_stack_node *node = linn_tagged_stack_pop(&stack);
    enum linn_popped p = LINN_POPPED_KEEP;
    uint32_t total = 0;
    if (node != NULL) {
        total = linn_subpage_look(&sp).size_class;
        p = linn_subpage_popped(&sp, total);
        if (p == LINN_POPPED_KEEP) linn_tagged_stack_push(&stack, node);
    }
    linn_section_leave(&section);
    if (node == NULL) return;
    if (p == LINN_POPPED_KEEP) kept[me]++;
    if (p == LINN_POPPED_DROPPED) dropped[me]++;
    if (p != LINN_POPPED_RETIRED) return;
    retired[me]++;
    for (int i = 0; i < 2; i++) {
        linn_scenario_touch(&payload[i]);
        collected[me] += payload[i] - 1;
        payload[i] = 0;
    }
    uint32_t next = total == 2 ? 1 : 2;
    if (linn_subpage_born(&sp, next, next, 0)) push();
}

static void thread0(void) {
    use(0);
    collect(0);
#if !LINN_SCENARIO_SMALL
    use(0);
#endif
}

static void thread1(void) {
    use(1);
    collect(1);
}

enum { TWO_LIVES, THREE_LIVES, KEPT, DROPPED };

static void after(void) {
    uint32_t total = linn_subpage_look(&sp).size_class;
    LINN_SCENARIO_CHECK(linn_subpage_is_valid_quiescent(&sp, total));
    LINN_SCENARIO_CHECK(linn_subpage_look(&sp).free == total);
    LINN_SCENARIO_CHECK(uses[0] + uses[1] ==
                        collected[0] + collected[1] + payload[0] + payload[1]);
    if (retired[0] + retired[1] == 1) linn_scenario_saw(TWO_LIVES);
    if (retired[0] + retired[1] == 2) linn_scenario_saw(THREE_LIVES);
    if (kept[0] + kept[1] > 0) linn_scenario_saw(KEPT);
    if (dropped[0] + dropped[1] > 0) linn_scenario_saw(DROPPED);
}

LINN_SCENARIO(subpage_retirement,
              .labels = "SP.H1 SP.A1 SP.A2 SP.F1 SP.F2 SP.L1 SP.R1 SP.N1 SP.N2",
              .bound = "2 elements, then 1, then 2; 3 uses, 2 collections",
              .before = before, .thread = {thread0, thread1}, .after = after,
              .outcome = {[TWO_LIVES] = "?one life ended",
                          [THREE_LIVES] = "two lives ended",
                          [KEPT] = "?popped and kept",
                          [DROPPED] = "?popped with nothing free"},
              .rounds = 200000);
