#include "stress/cell_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress/cell.h"
#include "stress/report.h"

enum { ARGUMENTS_MAX = 32, ARGUMENT_SIZE = 64, RESULT_FD = 3, PLAN_FD = 4 };

/* What a child is told; strings that live until the exec. */
struct command {
    char text[ARGUMENTS_MAX][ARGUMENT_SIZE];
    const char *argument[ARGUMENTS_MAX + 1];
    int count;
};

static void add(struct command *c, const char *argument) {
    if (c->count < ARGUMENTS_MAX) c->argument[c->count++] = argument;
    c->argument[c->count] = NULL;
}

static void add_number(struct command *c, const char *name, double value) {
    char *text = c->text[c->count];
    add(c, name);
    snprintf(text, ARGUMENT_SIZE, "%.17g", value);
    add(c, text);
}

static void add_whole(struct command *c, const char *name,
                      unsigned long long value) {
    char *text = c->text[c->count];
    add(c, name);
    snprintf(text, ARGUMENT_SIZE, "%llu", value);
    add(c, text);
}

static void make_command(struct command *c, const struct cell_request *r) {
    c->count = 0;
    add(c, r->program);
    add(c, "--subject");
    add(c, r->subject);
    if (r->library != NULL && r->library[0] != 0) {
        add(c, "--library");
        add(c, r->library);
    }
    if (r->probe) {
        add(c, "--probe");
        return;
    }
    add(c, "--workload");
    add(c, r->workload);
    add_whole(c, "--threads", r->threads);
    add_number(c, "--seconds", r->seconds);
    add_number(c, "--warm-up", r->warm_seconds);
    add_whole(c, "--seed", r->seed);
    add_whole(c, "--operations", r->operations);
    add_whole(c, "--pass", (unsigned long long)r->pass);
    add_whole(c, "--result-fd", RESULT_FD);
    if (r->plan_fd >= 0) add_whole(c, "--plan-fd", PLAN_FD);
    if (r->check) add(c, "--check");
}

/* In the child: never returns. */
static void become_cell(const struct cell_request *r, struct command *command,
                        int result_fd, int error_fd) {
    /* Far away first, so that none lies where another is to go. */
    int result = fcntl(result_fd, F_DUPFD, 10);
    int error = fcntl(error_fd, F_DUPFD, 10);
    int plan = r->plan_fd >= 0 ? fcntl(r->plan_fd, F_DUPFD, 10) : -1;
    dup2(result, RESULT_FD);
    if (plan >= 0) dup2(plan, PLAN_FD);
    dup2(error, 2);
    for (int fd = 5; fd < 64; fd++) {
        close(fd);
    }
    /* An interrupt from the terminal is the parent's to handle. */
    setpgid(0, 0);
    if (r->lock != NULL) setenv("LINN_LOCK", r->lock, 1);
#ifndef LINN_SANITIZED
    if (r->library != NULL && r->library[0] != 0) {
        setenv("LD_PRELOAD", r->library, 1);
    }
#endif
    execv(r->program, (char *const *)(void *)command->argument);
    fprintf(stderr, "stress: cannot run %s: %s\n", r->program, strerror(errno));
    _exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Reads to the end, with a zero byte behind it; the caller frees it.  NULL when
 * it took too long or was given up. */
static char *read_all(int fd, double until, bool (*give_up)(void),
                      bool *given_up) {
    size_t size = 0, room = 65536;
    char *text = (char *)malloc(room);
    while (text != NULL) {
        struct pollfd p = {fd, POLLIN, 0};
        if (give_up != NULL && give_up()) {
            *given_up = true;
            break;
        }
        if (now() > until) break;
        if (poll(&p, 1, 50) <= 0) continue;
        if (size + 4096 > room) {
            room *= 2;
            char *more = (char *)realloc(text, room);
            if (more == NULL) break;
            text = more;
        }
        ssize_t got = read(fd, text + size, room - size - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            text[size] = 0;
            return text;
        }
        size += (size_t)got;
    }
    free(text);
    return NULL;
}

/* What the child said, on one line: the reason need not be what it said first. */
static void read_errors(int fd, char *text, size_t size) {
    ssize_t length = pread(fd, text, size - 1, 0);
    if (length < 0) length = 0;
    text[length] = 0;
    while (length > 0 && text[length - 1] == '\n') {
        text[--length] = 0;
    }
    for (char *end = text; (end = strchr(end, '\n')) != NULL;) {
        *end = ' ';
    }
}

static enum cell_status judge(const struct cell_request *r, int status,
                              const char *report,
                              struct stress_outcome *outcome, char *text,
                              size_t text_size) {
    char error[256];
    if (WIFSIGNALED(status)) {
        size_t length = strlen(text);
        snprintf(text + length, text_size - length, "%sended by signal %d (%s)",
                 length > 0 ? "; " : "", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
        return CELL_FAILED;
    }
    switch (WEXITSTATUS(status)) {
        case 0:
            break;
        case STRESS_EXIT_MISSING:
            return CELL_MISSING;
        case STRESS_EXIT_BROKEN:
            return CELL_BROKEN;
        default:
            if (text[0] == 0) {
                snprintf(text, text_size, "exit status %d",
                         WEXITSTATUS(status));
            }
            return CELL_FAILED;
    }
    if (r->probe) return CELL_MEASURED;
    if (!stress_report_read(report, outcome, error, sizeof error)) {
        snprintf(text, text_size, "its report is broken: %s", error);
        return CELL_FAILED;
    }
    return CELL_MEASURED;
}

enum cell_status cell_run(const struct cell_request *r,
                          struct stress_outcome *outcome, char *text,
                          size_t text_size) {
    struct command command;
    int ends[2];
    make_command(&command, r);
    text[0] = 0;
    int errors = memfd_create("stress-stderr", MFD_CLOEXEC);
    if (errors < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(text, text_size, "no pipe: %s", strerror(errno));
        if (errors >= 0) close(errors);
        return CELL_FAILED;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) become_cell(r, &command, ends[1], errors);
    close(ends[1]);
    bool given_up = false;
    char *report = NULL;
    if (pid > 0) {
        /* Slow machines and sanitizers are not hung; a minute more is. */
        double patience = 60 + 20 * (r->seconds + r->warm_seconds);
        report = read_all(ends[0], now() + patience, r->give_up, &given_up);
        if (report == NULL) kill(pid, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    read_errors(errors, text, text_size);
    close(errors);
    enum cell_status result = CELL_FAILED;
    if (pid < 0) {
        snprintf(text, text_size, "fork: %s", strerror(errno));
    } else if (given_up) {
        result = CELL_GIVEN_UP;
    } else if (report == NULL) {
        snprintf(text, text_size, "did not end, and was killed");
    } else {
        result = judge(r, status, report, outcome, text, text_size);
    }
    free(report);
    return result;
}
