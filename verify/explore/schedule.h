#ifndef LINN_VERIFY_EXPLORE_SCHEDULE_H_
#define LINN_VERIFY_EXPLORE_SCHEDULE_H_

/* schedule: which executions of a program are run.
 *
 *   graph    each execution graph once: TruSt (Kokologiannakis et al., POPL'22).  A
 *            run follows a graph and then adds events, a read from the last write,
 *            a write at the end; what else each of them could have been is put
 *            aside as a graph, and so is every earlier read that a new write can
 *            turn to itself.  Finishes when no graph is left.
 *   full     every order of the threads, every source, every position: slow, and
 *            the judge of the one above (litmus.c).  `preemptions` bounds it.
 *   random   a thread at random at each event, a source at random
 *   pct      priorities with `depth` - 1 changes at random events (Burckhardt et al.,
 *            ASPLOS'10)
 *   replay   the choices of a failing execution, as its report prints them
 *
 * Threads are fibers on stacks of their own.  Thread-local variables: the block of
 * the program's thread-locals is exchanged with the fiber.
 *
 * Waiting.  A thread that reads the same words from the same writes at the same
 * places of the program sixteen times, with no write between, waits; it is stopped
 * there, since one time more would tell nothing new.  If it waits for ever (what it
 * reads is the last there is, and the others are done) that is a failure. */

#include <stdbool.h>
#include <stdint.h>

enum schedule_mode {
    SCHEDULE_GRAPH,
    SCHEDULE_FULL,
    SCHEDULE_RANDOM,
    SCHEDULE_PCT,
    SCHEDULE_REPLAY,
};

/* Planted faults, which litmus tests must notice. */
enum schedule_fault {
    FAULT_NONE,
    FAULT_NO_STALE,     /* reads see the last write only */
    FAULT_NO_BACKTRACK, /* a write does not turn earlier reads to itself */
    FAULT_IN_ORDER,     /* modification order is execution order */
};

struct program {
    int threads;
    void (*thread[4])(void);
    void (*after)(void);
    /* Before each execution; may be NULL. */
    void (*begin)(void);
    /* After each complete execution, when memory is as it was; may be NULL. */
    void (*judge)(void);
};

struct schedule_options {
    enum schedule_mode mode;
    enum schedule_fault fault;
    long executions; /* at most; 0: no bound */
    long seconds;    /* at most; 0: no bound */
    int preemptions; /* of `full`; -1: no bound */
    int depth;       /* of `pct` */
    uint64_t seed;
    const char *replay;
};

struct schedule_result {
    long complete;  /* executions that came to their end */
    long dead;      /* graphs that turned out to be inconsistent */
    long waiting;   /* that ended with a thread that waits */
    long truncated; /* too long */
    long events;    /* of complete executions */
    int longest;
    bool finished; /* nothing is left to explore */
};

struct schedule_result schedule_explore(const struct program *program,
                                        const struct schedule_options *options);

/* Runs `function` as thread `thread` (from 1), alone and unexplored, before the
 * exploration: the thread begins each execution with the thread-locals it has then. */
void schedule_prepare(int thread, void (*function)(void));

/* ---- for the threads of the program ---- */

/* The calling thread goes no further. */
void schedule_end_thread(void) __attribute__((noreturn));

/* Whether a thread of the program, or `after`, is running; the thread. */
bool schedule_running(void);
int schedule_thread(void);

/* Where the access that comes next is in the program. */
void schedule_from(uintptr_t site);

void schedule_load(uintptr_t address, unsigned bytes, uint8_t order,
                   uint64_t value[2]);
void schedule_store(uintptr_t address, unsigned bytes, uint8_t order,
                    const uint64_t value[2]);

enum schedule_change { XCHG, ADD, SUB, AND, OR, XOR, NAND };
void schedule_change(uintptr_t address, unsigned bytes, uint8_t order,
                     enum schedule_change change, uint64_t operand[2],
                     uint64_t before[2]);
bool schedule_cas(uintptr_t address, unsigned bytes, uint8_t order,
                  uint8_t failure, uint64_t expected[2],
                  const uint64_t desired[2]);
void schedule_fence(int kind, uint8_t order);

/* The choices so far, as --replay wants them. */
void schedule_print_choices(void);

/* The calls that lead to the running instruction: a stack of return addresses. */
void schedule_enter(uintptr_t from);
void schedule_leave(void);
uintptr_t schedule_site(void);

#endif /* LINN_VERIFY_EXPLORE_SCHEDULE_H_ */
