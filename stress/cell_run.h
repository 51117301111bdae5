#ifndef LINN_STRESS_CELL_RUN_H_
#define LINN_STRESS_CELL_RUN_H_

/* cell_run: starts a cell (stress/cell.h) in a process of its own and waits for
 * its report. */

#include <stdbool.h>
#include <stddef.h>

#include "stress/lane.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cell_request {
    const char *program; /* path */
    const char *subject;
    const char *library; /* NULL or "": none */
    const char *lock;    /* LINN_LOCK, or NULL */
    const char *workload;
    unsigned threads;
    double seconds, warm_seconds;
    unsigned long long seed, operations;
    enum stress_pass pass;
    bool check;
    bool probe;  /* only whether the subject is there */
    int plan_fd; /* -1: none */
    /* Looked at every 50 ms; true ends the cell.  May be NULL. */
    bool (*give_up)(void);
};

enum cell_status {
    CELL_MEASURED,
    CELL_MISSING, /* the subject is not on this machine */
    CELL_BROKEN,  /* a canary */
    CELL_FAILED,  /* by a signal, too late, without a report */
    CELL_GIVEN_UP,
};

/* Runs it.  `text` receives what the cell wrote to stderr, or why it failed. */
enum cell_status cell_run(const struct cell_request *request,
                          struct stress_outcome *outcome, char *text,
                          size_t text_size);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_CELL_RUN_H_ */
