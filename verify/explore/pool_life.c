/* Two threads destroy one pool, and one of them makes another in its place; a third
 * allocates from it as long as its handle is good. */

#include "verify/cache_world.h"

static sync_ptr next;
static bool destroyed[2];

static linn_pool *make(void) {
    struct linn_options options = LINN_OPTIONS_INIT;
    options.arenas = 1;
    world_shrink(&options, 1);
    return linn_pool_create(&options, NULL, 0);
}

/* The one that comes second is told that the pool is gone. */
static void unheard(const struct linn_misuse *misuse) {
    (void)misuse;
}

static void before(void) {
    (void)linn_set_misuse_handler(unheard);
    world_begin();
    for (int t = 0; t < 3; t++)
        linn_scenario_prepare(t, world_register);
}

static void thread0(void) {
    destroyed[0] = linn_pool_destroy(pool, NULL);
}

static void thread1(void) {
    destroyed[1] = linn_pool_destroy(pool, NULL);
    if (destroyed[1]) sync_ptr_store_release(&next, make());
}

static void thread2(void) {
    linn_pool *p = (linn_pool *)sync_ptr_load_acquire(&next);
    if (p == NULL) return;
    long *block = linn_alloc(p, WORLD_BYTES);
    LINN_SCENARIO_CHECK(block != NULL);
    linn_scenario_touch(block);
    linn_free(block);
}

enum { BY_THE_FIRST, BY_THE_SECOND, NEITHER };

static void after(void) {
    LINN_SCENARIO_CHECK(!destroyed[0] || !destroyed[1]);
    linn_scenario_saw(destroyed[0]   ? BY_THE_FIRST
                      : destroyed[1] ? BY_THE_SECOND
                                     : NEITHER);
}

LINN_SCENARIO(pool_life,
              .labels = "PC.C1 PC.F1 PC.L1 PC.D1 PC.U1 PC.H1 RC.W1 RC.R1",
              .bound = "two destroyers, one maker, one user", .before = before,
              .thread = {thread0, thread1, thread2}, .after = after,
              .outcome = {[BY_THE_FIRST] = "destroyed by the first",
                          [BY_THE_SECOND] = "by the second, and made anew",
                          [NEITHER] = "?by neither"},
              .rounds = 1);
