/* Two threads register, use their records' payload and end; a third sets the hook
 * that ends call.  The first to come maps the records; one may have the record that
 * the other gave back. */

#include "sync/thread_registry.h"
#include "verify/scenario.h"

static int hook_uses; /* plain: set up before the hook is */
static bool same;
static struct linn_thread *had[2];

static void before(void) {
    linn_thread_registry_init(sizeof(long));
}

static void hook(struct linn_thread *t) {
    LINN_SCENARIO_CHECK(hook_uses == 7);
    linn_thread_unregister(t);
}

static void live(int who) {
    struct linn_thread *t = linn_thread_register();
    if (t == NULL) linn_scenario_ends();
    had[who] = t;
    linn_scenario_touch((long *)linn_thread_payload(t));
    linn_scenario_ends();
}

static void thread0(void) {
    live(0);
}

static void thread1(void) {
    live(1);
}

static void thread2(void) {
    hook_uses = 7;
    linn_thread_registry_at_exit(hook);
}

enum { SAME, OTHER };

static void after(void) {
    LINN_SCENARIO_CHECK(had[0] != NULL && had[1] != NULL);
    same = had[0] == had[1];
    linn_scenario_saw(same ? SAME : OTHER);
    for (int i = 0; i < 2; i++) {
        long n = *(long *)linn_thread_payload(had[i]);
        LINN_SCENARIO_CHECK(n == (same ? 2 : 1));
        LINN_SCENARIO_CHECK(linn_thread_state_hint(had[i]) == LINN_THREAD_FREE);
    }
}

LINN_SCENARIO(
    registration,
    .labels =
        "TR.G1 TR.G2 TR.K1 TR.K3 TR.M1 TR.M2 TR.L1 TR.A1 TR.F1 TR.Q1 TR.Q2 "
        "TR.B3 TR.B4",
    .bound = "two threads that register and end; a hook", .before = before,
    .thread = {thread0, thread1, thread2}, .after = after,
    .outcome = {[SAME] = "one record, used twice", [OTHER] = "two records"},
    .rounds = 1);
