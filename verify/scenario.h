#ifndef LINN_VERIFY_SCENARIO_H_
#define LINN_VERIFY_SCENARIO_H_

/* scenario: a few threads, each with a few operations, in a form that every
 * checker runs from the same file.
 *
 *     before --> thread 0 |  thread 1 | ... thread 3   --> after
 *
 * `before` and `after` are alone, the threads run at once.  Natively and under
 * ThreadSanitizer verify/scenario.c runs many rounds; a model checker brings a
 * runner of its own and takes every interleaving of one round.  So a thread's
 * function is short, waits for nobody, and ends.
 *
 * What is shared outside the library is plain on purpose: a missing order in the
 * library is then a data race, which ThreadSanitizer and the checkers report.
 * linn_scenario_touch keeps the compiler from removing such an access.
 *
 * A scenario says which labels of the cards it covers, its bound (what there is
 * for a checker to explore), and the outcomes that make it worth running: one that
 * no round has shows that it checks nothing, and is a failure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_SCENARIO_THREADS  4
#define LINN_SCENARIO_OUTCOMES 8

/* 1: a checker that takes every interleaving wants the scenario smaller. */
#ifndef LINN_SCENARIO_SMALL
#define LINN_SCENARIO_SMALL 0
#endif

struct linn_scenario {
    const char *name;
    const char *labels; /* separated by a space */
    const char *bound;
    void (*before)(void);
    void (*thread[LINN_SCENARIO_THREADS])(void); /* the first ones; else NULL */
    void (*after)(void);
    /* What can come about.  One that begins with '?' need not. */
    const char *outcome[LINN_SCENARIO_OUTCOMES];
    long rounds; /* natively; a tenth with LINN_SANITIZED */
};

/* Each scenario defines it, by LINN_SCENARIO. */
extern const struct linn_scenario linn_scenario;

#define LINN_SCENARIO(identifier, ...)                               \
    const struct linn_scenario linn_scenario = {.name = #identifier, \
                                                __VA_ARGS__}

/* For `after`: the round came out so. */
void linn_scenario_saw(unsigned outcome);

/* For `before`: these words are statistics, added to with fetch_add whose result
 * nobody uses, and read by no thread.  A checker need not explore their order. */
void linn_scenario_statistic(const void *first, size_t bytes);

/* Rounds before this one. */
long linn_scenario_round(void);

#define LINN_SCENARIO_CHECK(fact) \
    ((fact) ? (void)0 : linn_scenario_failed(#fact, __FILE__, __LINE__))

/* For checkers alone, where LINN_SCENARIO_SMALL is 1.  `before` may let thread
 * `thread` do its first steps (its registration) there, one after another. */
void linn_scenario_prepare(int thread, void (*function)(void));

/* The calling thread dies here, or ends here as by pthread_exit; its part is over. */
void linn_scenario_dies(void) __attribute__((noreturn));
void linn_scenario_ends(void) __attribute__((noreturn));

void linn_scenario_failed(const char *fact, const char *file, int line)
    __attribute__((noreturn));

/* Reads and writes *place with plain accesses. */
static inline void linn_scenario_touch(long *place) {
    (*place)++;
    __asm__ volatile("" : : "r"(place) : "memory");
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_VERIFY_SCENARIO_H_ */
