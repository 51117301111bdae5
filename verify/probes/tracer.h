#ifndef LINN_VERIFY_PROBES_TRACER_H_
#define LINN_VERIFY_PROBES_TRACER_H_

/* tracer: starts the traced process, steps its victim one instruction at a time,
 * and judges whether the others go on.
 *
 * Blocked means: for 1 s of looks, a worker (or the thread or the child that it
 * waits for) has made no progress while it was asleep in a futex, or it has used
 * 1 s of processor time without progress.  A machine that is merely slow gives
 * neither.  After 60 s without an answer the test fails, whichever library. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "verify/probes/mail.h"

struct linn_probe_tracer {
    struct linn_probe_mail *mail;
    pid_t process;
    pid_t victim;
};

/* Where an instruction stands. */
enum linn_probe_where {
    LINN_PROBE_LIBRARY, /* in linn */
    LINN_PROBE_CALLED,  /* outside, called by linn and not yet back */
    LINN_PROBE_OWN,     /* in the stepped functions of the test */
    LINN_PROBE_OUTSIDE, /* the C library, called by nobody of linn */
    LINN_PROBE_WHERES,
};

enum linn_probe_answer {
    LINN_PROBE_DONE,
    LINN_PROBE_BLOCKED,
};

/* Runs this program again as the traced process. */
void linn_probe_start(struct linn_probe_tracer *t, char **argv);
void linn_probe_stop(struct linn_probe_tracer *t);

/* If this process is the traced one, is it for ever. */
void linn_probe_be_child(int argc, char **argv);

/* Waits for a mailbox's order; dies when there is no answer. */
enum linn_probe_answer linn_probe_await(struct linn_probe_tracer *t,
                                        struct linn_probe_mailbox *box);

/* The controller does it; a block is a failure of the test. */
void linn_probe_control(struct linn_probe_tracer *t, enum linn_probe_order kind,
                        uint64_t argument);

/* Starts a victim for `what`, and stops it where it waits for `go`; `go` is
 * given. */
void linn_probe_catch(struct linn_probe_tracer *t, uint64_t what);

/* One instruction; its registers, if asked for.  False: the victim has ended. */
bool linn_probe_step(struct linn_probe_tracer *t,
                     struct user_regs_struct *regs);

enum linn_probe_where linn_probe_classify(struct linn_probe_tracer *t,
                                          const struct user_regs_struct *regs,
                                          enum linn_probe_where before);

/* The signal is delivered here, its handler runs to its end, and the victim is
 * again exactly where it was. */
enum linn_probe_answer linn_probe_signal(struct linn_probe_tracer *t,
                                         const struct user_regs_struct *at);

/* Lets it go. */
void linn_probe_release(struct linn_probe_tracer *t);

/* Ends the victim here by a bare system call; waits until it is gone. */
void linn_probe_kill(struct linn_probe_tracer *t, struct user_regs_struct *at);

/* Resident bytes of the traced process, exactly. */
uint64_t linn_probe_resident(const struct linn_probe_tracer *t);

void linn_probe_die(struct linn_probe_tracer *t, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

#endif /* LINN_VERIFY_PROBES_TRACER_H_ */
