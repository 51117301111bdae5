#include "verify/probes/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "verify/probes/victim.h"

void linn_probe_die(struct linn_probe_tracer *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    (void)fprintf(stderr, "FAILED: ");
    (void)vfprintf(stderr, format, list);
    (void)fprintf(stderr, "\n");
    va_end(list);
    if (t->process > 0) (void)kill(t->process, SIGKILL);
    exit(1);
}

/* ---- the process ---- */

static struct linn_probe_mail *map_mail(int fd) {
    void *p = mmap(NULL, sizeof(struct linn_probe_mail), PROT_READ | PROT_WRITE,
                   MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

void linn_probe_be_child(int argc, char **argv) {
    if (argc != 3 || strcmp(argv[1], "--traced") != 0) return;
    struct linn_probe_mail *mail = map_mail(atoi(argv[2]));
    if (mail == NULL) _exit(1);
    linn_probe_child(mail);
}

void linn_probe_start(struct linn_probe_tracer *t, char **argv) {
    memset(t, 0, sizeof *t);
    int fd = memfd_create("probes", 0);
    if (fd < 0 || ftruncate(fd, sizeof(struct linn_probe_mail)) != 0 ||
        (t->mail = map_mail(fd)) == NULL) {
        linn_probe_die(t, "no shared memory: %s", strerror(errno));
    }
    t->process = fork();
    if (t->process == 0) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", fd);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/proc/self/exe", argv[0], "--traced", number, NULL);
        _exit(1);
    }
    (void)close(fd);
    linn_probe_control(t, LINN_PROBE_LEDGER, 0); /* it is there */
}

void linn_probe_stop(struct linn_probe_tracer *t) {
    (void)kill(t->process, SIGKILL);
    /* A traced thread is waited for before its process. */
    pid_t got;
    while ((got = waitpid(-1, NULL, __WALL)) > 0 && got != t->process) {
    }
}

/* ---- who is blocked ---- */

static size_t read_file(const char *name, char *to, size_t size) {
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return to[0] = '\0', 0;
    ssize_t n = read(fd, to, size - 1);
    (void)close(fd);
    to[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* A thread of the traced process, or a child of its own. */
static void thread_file(const struct linn_probe_tracer *t, uint32_t tid,
                        const char *file, char *to, size_t size) {
    char name[96];
    (void)snprintf(name, sizeof name, "/proc/%d/task/%u/%s", t->process, tid,
                   file);
    if (read_file(name, to, size) > 0) return;
    (void)snprintf(name, sizeof name, "/proc/%u/%s", tid, file);
    (void)read_file(name, to, size);
}

static bool is_in_futex(const struct linn_probe_tracer *t, uint32_t tid) {
    char text[256];
    thread_file(t, tid, "syscall", text, sizeof text);
    return strtol(text, NULL, 10) == SYS_futex && text[0] != 'r';
}

/* Hundredths of a second. */
static unsigned long processor_time(const struct linn_probe_tracer *t,
                                    uint32_t tid) {
    char text[1024];
    thread_file(t, tid, "stat", text, sizeof text);
    const char *rest = strrchr(text, ')');
    unsigned long user = 0, system = 0;
    if (rest == NULL ||
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) != 2) {
        return 0;
    }
    return user + system;
}

static void check_failure(struct linn_probe_tracer *t) {
    if (sync_u32_load_acquire(&t->mail->failed) == 0) return;
    linn_probe_die(t, "in the traced process: %s", t->mail->failure);
}

#define LOOK_MS   20L
#define LOOKS     50   /* a second of them */
#define PATIENCE  3000 /* looks: a minute */
#define TICKS_MAX 100  /* a second of processor time */

enum linn_probe_answer linn_probe_await(struct linn_probe_tracer *t,
                                        struct linn_probe_mailbox *box) {
    uint32_t want = sync_u32_load_relaxed(&box->order);
    uint64_t progress = UINT64_MAX;
    uint32_t asleep = 0, tid = 0;
    unsigned long ticks = 0;
    for (uint32_t look = 0; look < PATIENCE; look++) {
        uint32_t done = sync_u32_load_acquire(&box->done);
        if (done == want) {
            check_failure(t);
            return LINN_PROBE_DONE;
        }
        int e = linn_probe_sleep_on(&box->done, done, LOOK_MS);
        if (e == 0 || errno != ETIMEDOUT) continue;
        check_failure(t);
        int status;
        if (waitpid(t->process, &status, WNOHANG) == t->process) {
            linn_probe_die(t, "the traced process ended, status %#x", status);
        }
        uint64_t now = sync_u64_load_relaxed(&box->progress);
        uint32_t who = sync_u32_load_acquire(&box->watched);
        if (now != progress || who != tid) {
            progress = now;
            tid = who;
            ticks = processor_time(t, tid);
            asleep = 0;
            continue;
        }
        asleep = is_in_futex(t, tid) ? asleep + 1 : 0;
        if (asleep >= LOOKS) return LINN_PROBE_BLOCKED;
        if (processor_time(t, tid) > ticks + TICKS_MAX) {
            return LINN_PROBE_BLOCKED;
        }
    }
    linn_probe_die(t, "no answer for a minute, and not blocked by our measure");
}

void linn_probe_control(struct linn_probe_tracer *t, enum linn_probe_order kind,
                        uint64_t argument) {
    linn_probe_order(&t->mail->controller, kind, argument);
    if (linn_probe_await(t, &t->mail->controller) == LINN_PROBE_BLOCKED) {
        linn_probe_die(t, "the controller is blocked, order %d", (int)kind);
    }
}

/* ---- the victim ---- */

static void stop_of(struct linn_probe_tracer *t, int *status) {
    while (waitpid(t->victim, status, __WALL) != t->victim) {
        if (errno != EINTR) {
            linn_probe_die(t, "waitpid: %s", strerror(errno));
        }
    }
}

static void request(struct linn_probe_tracer *t, enum __ptrace_request what,
                    void *address, long data) {
    if (ptrace(what, t->victim, address, (void *)data) != 0) {
        linn_probe_die(t, "ptrace %d: %s", (int)what, strerror(errno));
    }
}

void linn_probe_catch(struct linn_probe_tracer *t, uint64_t what) {
    struct linn_probe_mail *m = t->mail;
    sync_u32_store_relaxed(&m->victim, 0);
    sync_u32_store_relaxed(&m->go, 0);
    sync_u32_store_relaxed(&m->finished, 0);
    sync_u64_store_relaxed(&m->asked, 0);
    sync_u32_store_relaxed(&m->in_section, 0);
    linn_probe_control(t, LINN_PROBE_VICTIM, what);
    uint32_t tid;
    for (int look = 0; (tid = sync_u32_load_acquire(&m->victim)) == 0; look++) {
        check_failure(t);
        if (look == 60000) linn_probe_die(t, "the victim does not come");
        (void)linn_probe_sleep_on(&m->victim, 0, 1);
    }
    t->victim = (pid_t)tid;
    request(t, PTRACE_SEIZE, NULL, PTRACE_O_EXITKILL);
    request(t, PTRACE_INTERRUPT, NULL, 0);
    int status;
    stop_of(t, &status);
    if (!WIFSTOPPED(status)) linn_probe_die(t, "the victim does not stop");
    sync_u32_store_release(&m->go, 1);
}

bool linn_probe_step(struct linn_probe_tracer *t,
                     struct user_regs_struct *regs) {
    request(t, PTRACE_SINGLESTEP, NULL, 0);
    int status;
    stop_of(t, &status);
    if (WIFEXITED(status)) return false;
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
        check_failure(t);
        linn_probe_die(t, "the victim: status %#x", status);
    }
    if (regs != NULL) request(t, PTRACE_GETREGS, NULL, (long)regs);
    return true;
}

static bool is_in_library(const struct linn_probe_mail *m, uint64_t address) {
    return address >= m->text_begin && address < m->text_end &&
           !(address >= m->own_begin && address < m->own_end);
}

enum linn_probe_where linn_probe_classify(struct linn_probe_tracer *t,
                                          const struct user_regs_struct *regs,
                                          enum linn_probe_where before) {
    const struct linn_probe_mail *m = t->mail;
    if (is_in_library(m, regs->rip)) return LINN_PROBE_LIBRARY;
    if (regs->rip >= m->own_begin && regs->rip < m->own_end) {
        return LINN_PROBE_OWN;
    }
    if (before != LINN_PROBE_LIBRARY) {
        return before == LINN_PROBE_CALLED ? before : LINN_PROBE_OUTSIDE;
    }
    /* Called, or returned to? */
    errno = 0;
    long back = ptrace(PTRACE_PEEKDATA, t->victim, (void *)regs->rsp, NULL);
    return errno == 0 && is_in_library(m, (uint64_t)back) ? LINN_PROBE_CALLED
                                                          : LINN_PROBE_OUTSIDE;
}

enum linn_probe_answer linn_probe_signal(struct linn_probe_tracer *t,
                                         const struct user_regs_struct *at) {
    uint32_t handled = sync_u32_load_relaxed(&t->mail->handled);
    request(t, PTRACE_CONT, NULL, SIGUSR1);
    int status;
    uint32_t looks = 0, asleep = 0;
    unsigned long ticks = processor_time(t, (uint32_t)t->victim);
    for (;;) {
        pid_t got = waitpid(t->victim, &status, __WALL | WNOHANG);
        if (got == t->victim) break;
        if (got < 0) linn_probe_die(t, "waitpid: %s", strerror(errno));
        if (++looks < 200) {
            /* The handler takes some microseconds. */
            struct timespec moment = {0, 2000};
            (void)nanosleep(&moment, NULL);
            continue;
        }
        struct timespec look = {0, LOOK_MS * 1000000};
        (void)nanosleep(&look, NULL);
        asleep = is_in_futex(t, (uint32_t)t->victim) ? asleep + 1 : 0;
        if (asleep >= LOOKS ||
            processor_time(t, (uint32_t)t->victim) > ticks + TICKS_MAX) {
            return LINN_PROBE_BLOCKED;
        }
        if (looks > PATIENCE) linn_probe_die(t, "the handler does not end");
    }
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP ||
        sync_u32_load_acquire(&t->mail->handled) != handled + 1) {
        check_failure(t);
        linn_probe_die(t, "in the handler: status %#x", status);
    }
    check_failure(t);
    struct user_regs_struct now;
    for (int i = 0; i < 500; i++) {
        if (!linn_probe_step(t, &now)) break;
        if (now.rip != at->rip || now.rsp != at->rsp) continue;
        now.orig_rax = at->orig_rax; /* not the program's */
        if (memcmp(&now, at, sizeof now) != 0) {
            linn_probe_die(t, "a register is not what it was at %#llx",
                           at->rip);
        }
        return LINN_PROBE_DONE;
    }
    linn_probe_die(t, "the handler does not come back to %#llx", at->rip);
}

void linn_probe_release(struct linn_probe_tracer *t) {
    request(t, PTRACE_DETACH, NULL, 0);
    t->victim = 0;
}

void linn_probe_kill(struct linn_probe_tracer *t, struct user_regs_struct *at) {
    at->rip = t->mail->exit_stub;
    at->orig_rax = (unsigned long long)-1;
    request(t, PTRACE_SETREGS, NULL, (long)at);
    request(t, PTRACE_CONT, NULL, 0);
    int status;
    stop_of(t, &status);
    if (!WIFEXITED(status)) {
        linn_probe_die(t, "a killed victim: status %#x", status);
    }
    t->victim = 0;
}

uint64_t linn_probe_resident(const struct linn_probe_tracer *t) {
    char name[64], text[2048];
    (void)snprintf(name, sizeof name, "/proc/%d/smaps_rollup", t->process);
    if (read_file(name, text, sizeof text) == 0) return 0;
    const char *line = strstr(text, "Rss:");
    return line == NULL ? 0 : strtoull(line + 4, NULL, 10) * 1024;
}
