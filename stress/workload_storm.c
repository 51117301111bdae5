#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress/sizes.h"
#include "stress/workload.h"

static bool prepare(struct stress_run *run) {
    return stress_tables_prepare(run, stress_sizes_proxy);
}

/* ---- fork-storm: a child of a threaded process allocates at once ---- */

enum { BATCHES_A_FORK = 64, SECONDS_A_CHILD = 60 };

/* The child has the whole table, the canaries in it too: it looks at every one
 * of them, and works on. */
static void child(struct stress_lane *lane, struct stress_table *table) {
    alarm(SECONDS_A_CHILD); /* one that hangs ends by SIGALRM */
    for (int i = 0; i < 4; i++) {
        stress_table_batch(lane, table);
    }
    stress_table_clear(lane, table);
    _exit(0);
}

static void fork_once(struct stress_lane *lane, struct stress_table *table) {
    pid_t pid = fork();
    if (pid == 0) child(lane, table);
    if (pid < 0) {
        if (errno == EAGAIN || errno == ENOMEM) return; /* later, then */
        perror("stress: fork");
        exit(1);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    fprintf(stderr,
            "stress: a child of fork() %s (status %#x), workload %s, seed "
            "%llu\n",
            hung ? "hung" : "failed", (unsigned)status,
            lane->run->workload->name, (unsigned long long)lane->run->seed);
    _exit(STRESS_EXIT_BROKEN);
}

static void fork_body(struct stress_lane *lane) {
    struct stress_table *table = stress_table_of(lane);
    while (stress_goes_on(lane)) {
        for (int i = 0; i < BATCHES_A_FORK && stress_goes_on(lane); i++) {
            stress_table_batch(lane, table);
        }
        fork_once(lane, table);
    }
    stress_table_clear(lane, table);
}

/* ---- signal-storm: a handler allocates and frees at any instruction ---- */

enum { HELD = 16, INTERVAL_NS = 200000 };

/* What a lane's handler works with: a lane of its own, so that it never touches
 * the interrupted one's counts. */
struct handler_state {
    struct stress_lane lane;
    struct stress_block held[HELD];
    const uint32_t *sizes;
};

static struct handler_state *handlers; /* one a lane */
static __thread struct handler_state *handler_here;

static void handle(int signal_number) {
    (void)signal_number;
    struct handler_state *h = handler_here;
    int saved = errno;
    if (h == NULL) return;
    for (int i = 0; i < 4; i++) {
        uint32_t at = stress_random_below(&h->lane.random, HELD);
        uint32_t size =
            h->sizes[stress_random_below(&h->lane.random, STRESS_SIZES)];
        stress_free(&h->lane, &h->held[at]);
        h->held[at] = stress_alloc(&h->lane, size);
    }
    errno = saved;
}

static bool signal_prepare(struct stress_run *run) {
    struct sigaction action = {0};
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    handlers =
        (struct handler_state *)stress_map(run, sizeof *handlers * run->lanes);
    return handlers != NULL && prepare(run);
}

static timer_t start_timer(void) {
    struct sigevent event = {0};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR1;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    timer_t timer;
    struct itimerspec period = {{0, INTERVAL_NS}, {0, INTERVAL_NS}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &period, NULL) != 0) {
        perror("stress: timer");
        exit(1);
    }
    return timer;
}

static void signal_body(struct stress_lane *lane) {
    struct stress_table *table = stress_table_of(lane);
    struct handler_state *h = &handlers[lane->index];
    h->lane.subject = lane->subject;
    h->lane.run = lane->run;
    h->lane.thread = lane->thread + lane->run->lanes;
    h->lane.random = stress_random_mix(lane->random);
    h->lane.checked = lane->checked;
    h->sizes = table->sizes;
    handler_here = h;
    timer_t timer = start_timer();
    while (stress_goes_on(lane)) {
        stress_table_batch(lane, table);
    }
    timer_delete(timer);
    handler_here = NULL; /* one signal may still be on its way */
    for (int i = 0; i < HELD; i++) {
        stress_free(&h->lane, &h->held[i]);
    }
    stress_table_clear(lane, table);
    lane->operations += h->lane.operations;
    lane->allocations += h->lane.allocations;
    lane->frees += h->lane.frees;
    lane->failed += h->lane.failed;
    lane->checks += h->lane.checks;
}

const struct stress_workload stress_workload_fork_storm = {
    "fork-storm",
    "mix, and children that allocate and free at once",
    2,
    1,
    true,
    false,
    prepare,
    fork_body,
};

const struct stress_workload stress_workload_signal_storm = {
    "signal-storm",
    "mix, interrupted by a handler that allocates and frees",
    2,
    1,
    false,
    true,
    signal_prepare,
    signal_body,
};
