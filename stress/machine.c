#include "stress/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_cpu(char *out, size_t size) {
    char line[512];
    snprintf(out, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    if (f == NULL) return;
    while (fgets(line, sizeof line, f) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL) continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(out, size, "%s", colon + 2);
        break;
    }
    fclose(f);
}

/* The first line that a command prints; false if it fails. */
static bool first_line(char *const *command, char *line, size_t size) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(1);
        execvp(command[0], command);
        _exit(1);
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    line[0] = 0;
    if (f != NULL) {
        char piece[256];
        bool first = true;
        while (fgets(piece, sizeof piece, f) != NULL) {
            if (first) snprintf(line, size, "%s", piece);
            first = false;
        }
        line[strcspn(line, "\n")] = 0;
        fclose(f);
    }
    int status = 1;
    if (pid > 0) waitpid(pid, &status, 0);
    return pid > 0 && status == 0;
}

/* `bazel run` says where the tree is that was just built; elsewhere the commit
 * is not known. */
static void read_commit(char *out, size_t size) {
    char *tree = getenv("BUILD_WORKSPACE_DIRECTORY");
    char commit[48], change[256];
    snprintf(out, size, "unknown");
    if (tree == NULL) return;
    char *head[] = {"git", "-C", tree, "rev-parse", "--short=12", "HEAD", NULL};
    char *status[] = {"git", "-C", tree, "status", "--porcelain", NULL};
    if (!first_line(head, commit, sizeof commit)) return;
    bool changed = first_line(status, change, sizeof change) && change[0] != 0;
    snprintf(out, size, "%s%s", commit, changed ? "+changes" : "");
}

void stress_machine_read(struct stress_machine *m) {
    struct utsname kernel;
    read_cpu(m->cpu, sizeof m->cpu);
    uname(&kernel);
    snprintf(m->kernel, sizeof m->kernel, "%.20s %.80s", kernel.sysname,
             kernel.release);
    m->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __clang__
    snprintf(m->compiler, sizeof m->compiler, "%s", __VERSION__);
#else
    snprintf(m->compiler, sizeof m->compiler, "gcc %s", __VERSION__);
#endif
    read_commit(m->commit, sizeof m->commit);
#if defined(LINN_SANITIZED)
    snprintf(m->build, sizeof m->build, "sanitized: its times are no times");
#elif !defined(__OPTIMIZE__)
    snprintf(m->build, sizeof m->build, "not optimized: add -c opt");
#else
    snprintf(m->build, sizeof m->build, "optimized");
#endif
}
