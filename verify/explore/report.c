#include "verify/explore/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verify/explore/machine.h"
#include "verify/explore/schedule.h"

static const char *name = "explore", *how = "";

void report_name(const char *program, const char *options) {
    name = program;
    how = options;
}

enum { SITES_MAX = EVENTS_MAX + 2 };

/* "function at file:line" of each return address, from addr2line (binutils). */
static char texts[SITES_MAX][160];

static void find_texts(const uintptr_t *site, int n) {
    char self[512];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) return;
    self[length] = '\0';
    char *command = malloc(256 + (size_t)n * 20);
    if (command == NULL) return;
    int at = sprintf(command, "addr2line -sfpe '%.400s'", self);
    for (int i = 0; i < n; i++) {
        /* The call is just before where it returns to. */
        uintptr_t address = site[i] > 0 ? site[i] - 1 : 0;
        at += sprintf(command + at, " %lx", (unsigned long)address);
    }
    (void)sprintf(command + at, " 2>/dev/null");
    FILE *pipe = popen(command, "r");
    for (int i = 0; i < n; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%#lx",
                       (unsigned long)site[i]);
        char line[400];
        if (pipe == NULL || fgets(line, sizeof line, pipe) == NULL) continue;
        line[strcspn(line, "\n")] = '\0';
        if (site[i] != 0) {
            (void)snprintf(texts[i], sizeof texts[i], "%.159s", line);
        }
    }
    if (pipe != NULL) (void)pclose(pipe);
    free(command);
}

static const char *const orders[] = {"relaxed", "consume", "acquire",
                                     "release", "acq_rel", "seq_cst"};

static void print_event(const struct event *e, const char *text) {
    static const char *const kinds[] = {"read ", "write", "fence", "heavy",
                                        "light"};
    (void)printf("  thread %d  %s %-7s", e->thread - 1, kinds[e->kind],
                 orders[e->order]);
    if (e->kind <= EVENT_WRITE) {
        const struct place *p = machine_place_at(e->place);
        (void)printf("%c %#lx", e->exclusive ? '!' : ' ',
                     (unsigned long)p->address);
        if (p->bytes == 16) {
            (void)printf(".%c", "?lhp"[e->half]);
            (void)printf(" = {%#lx, %#lx}", (unsigned long)e->value[0],
                         (unsigned long)e->value[1]);
        } else {
            (void)printf(" = %#lx", (unsigned long)e->value[0]);
        }
        if (e->kind == EVENT_WRITE) {
            (void)printf(" (version %u of %u)", e->position, p->writes - 1u);
        } else {
            (void)printf(" (version %u)", machine_position(e));
        }
    }
    (void)printf("  %s\n", text);
}

void report_failure(const char *what, uintptr_t site, uintptr_t other) {
    const struct machine *m = &linn_machine;
    uintptr_t sites[SITES_MAX];
    sites[0] = site;
    sites[1] = other;
    for (int i = 0; i < m->traced; i++)
        sites[i + 2] = m->event[m->trace[i]].site;
    find_texts(sites, m->traced + 2);
    (void)printf("%s: FAILED: %s\n", name, what);
    if (site != 0) (void)printf("  at  %s\n", texts[0]);
    if (other != 0) (void)printf("  and %s\n", texts[1]);
    int t = schedule_thread();
    if (t > 0) (void)printf("  in thread %d\n", t - 1);
    (void)printf(
        "The execution (! marks a read-modify-write; versions are the "
        "order of a word's values):\n");
    for (int i = 0; i < m->traced; i++)
        print_event(&m->event[m->trace[i]], texts[i + 2]);
    (void)printf("Again: %s%s --replay=", name, how);
    schedule_print_choices();
    (void)fflush(stdout);
    _exit(1);
}

void report_limit(const char *what) {
    (void)printf("%s: this checker cannot do it: %s (at %#lx)\n", name, what,
                 (unsigned long)schedule_site());
    (void)fflush(stdout);
    _exit(3);
}
