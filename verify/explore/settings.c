/* Settings that come with data: two threads set a misuse handler each, one of them a
 * visitor of the page source too; a third misuses, maps, and reads the environment,
 * which the first to come copies. */

#include "alloc/linn.h"
#include "alloc/misuse.h"
#include "alloc/options.h"
#include "alloc/page_source.h"
#include "verify/scenario.h"

static int data[3];
static uint32_t told[2], visited;

static void handler0(const struct linn_misuse *misuse) {
    (void)misuse;
    LINN_SCENARIO_CHECK(data[0] == 1);
    told[0]++;
}

static void handler1(const struct linn_misuse *misuse) {
    (void)misuse;
    LINN_SCENARIO_CHECK(data[1] == 1);
    told[1]++;
}

static void no_handler(const struct linn_misuse *misuse) {
    (void)misuse;
}

static void visit(void) {
    LINN_SCENARIO_CHECK(data[2] == 1);
    visited++;
}

static void before(void) {
    (void)linn_set_misuse_handler(no_handler);
    linn_options_forget_environment();
}

static void thread0(void) {
    data[0] = 1;
    (void)linn_set_misuse_handler(handler0);
    data[2] = 1;
    linn_page_source_visit_next(visit);
}

/* Who replaces a handler may look at what it needed. */
static void thread1(void) {
    data[1] = 1;
    if (linn_set_misuse_handler(handler1) == handler0) {
        LINN_SCENARIO_CHECK(data[0] == 1);
    }
    LINN_SCENARIO_CHECK(!linn_switches_get()->show_options);
}

static void thread2(void) {
    linn_misuse_report("thread2", NULL, NULL, 0, "nothing", NULL);
    LINN_SCENARIO_CHECK(!linn_switches_get()->show_options);
    void *p = linn_page_source_map(4096, 4096);
    LINN_SCENARIO_CHECK(p != NULL);
}

enum { FIRST, SECOND, NOBODY, VISITED };

static void after(void) {
    linn_scenario_saw(told[0] ? FIRST : told[1] ? SECOND : NOBODY);
    if (visited) linn_scenario_saw(VISITED);
}

LINN_SCENARIO(settings, .labels = "MU.H1 MU.H2 OP.E1 OP.E2 OP.E3 PS.V1 PS.V3",
              .bound = "two handlers, one visitor, one environment",
              .before = before, .thread = {thread0, thread1, thread2},
              .after = after,
              .outcome = {[FIRST] = "the first handler was told",
                          [SECOND] = "the second was",
                          [NOBODY] = "neither",
                          [VISITED] = "the visitor came"},
              .rounds = 1);
