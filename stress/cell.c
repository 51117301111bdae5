#include "stress/cell.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stress/replay.h"
#include "stress/report.h"
#include "stress/workload.h"

struct settings {
    const char *subject;
    const char *library;
    const char *workload;
    unsigned lanes;
    double seconds, warm_seconds;
    unsigned long long seed, operations;
    int pass;
    bool check, probe;
    int plan_fd, result_fd;
};

static const struct option options[] = {
    {"subject", required_argument, NULL, 's'},
    {"library", required_argument, NULL, 'l'},
    {"workload", required_argument, NULL, 'w'},
    {"threads", required_argument, NULL, 't'},
    {"seconds", required_argument, NULL, 'd'},
    {"warm-up", required_argument, NULL, 'u'},
    {"seed", required_argument, NULL, 'r'},
    {"operations", required_argument, NULL, 'n'},
    {"pass", required_argument, NULL, 'p'},
    {"check", no_argument, NULL, 'c'},
    {"probe", no_argument, NULL, 'q'},
    {"plan-fd", required_argument, NULL, 'f'},
    {"result-fd", required_argument, NULL, 'o'},
    {NULL, 0, NULL, 0},
};

static bool read_settings(int argc, char **argv, struct settings *s) {
    struct settings defaults = {
        .subject = "glibc",
        .workload = "pair",
        .lanes = 1,
        .seconds = 1,
        .seed = 1,
        .plan_fd = -1,
        .result_fd = 1,
    };
    *s = defaults;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
            case 's':
                s->subject = optarg;
                break;
            case 'l':
                s->library = optarg;
                break;
            case 'w':
                s->workload = optarg;
                break;
            case 't':
                s->lanes = (unsigned)strtoul(optarg, NULL, 10);
                break;
            case 'd':
                s->seconds = strtod(optarg, NULL);
                break;
            case 'u':
                s->warm_seconds = strtod(optarg, NULL);
                break;
            case 'r':
                s->seed = strtoull(optarg, NULL, 10);
                break;
            case 'n':
                s->operations = strtoull(optarg, NULL, 10);
                break;
            case 'p':
                s->pass = atoi(optarg);
                break;
            case 'c':
                s->check = true;
                break;
            case 'q':
                s->probe = true;
                break;
            case 'f':
                s->plan_fd = atoi(optarg);
                break;
            case 'o':
                s->result_fd = atoi(optarg);
                break;
            default:
                return false;
        }
    }
    return true;
}

/* The plan that compare made, shared and read-only. */
static const struct replay_plan *map_plan(struct stress_run *run, int fd) {
    struct stat about;
    if (fstat(fd, &about) != 0 || about.st_size <= 0) {
        fprintf(stderr, "stress: no plan: %s\n", strerror(errno));
        return NULL;
    }
    size_t bytes = (size_t)about.st_size;
    void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED) {
        fprintf(stderr, "stress: cannot map the plan: %s\n", strerror(errno));
        return NULL;
    }
    const struct replay_plan *plan = (const struct replay_plan *)p;
    if (!replay_plan_is_valid(plan, bytes)) {
        fprintf(stderr, "stress: the plan is broken\n");
        return NULL;
    }
    run->driver_bytes += (bytes + 4095) / 4096 * 4096;
    return plan;
}

static const struct stress_subject *find_subject(
    const struct settings *s, const struct stress_subject *ours, int *status) {
    char error[512];
    *status = 1;
    if (ours != NULL) return ours;
    if (s->library == NULL) return stress_subject_of_process(s->subject);
    const struct stress_subject *found =
        stress_subject_open(s->subject, s->library, error, sizeof error);
    if (found == NULL) {
        fprintf(stderr, "stress: %s: %s\n", s->subject, error);
        *status = STRESS_EXIT_MISSING;
    }
    return found;
}

/* Not malloc's: its histograms are large, and RSS is measured here. */
static struct stress_outcome outcome;
static struct stress_run run;

int stress_cell_main(int argc, char **argv, const struct stress_subject *ours) {
    struct settings s;
    int status;
    if (!read_settings(argc, argv, &s)) return 1;
    run.subject = find_subject(&s, ours, &status);
    if (run.subject == NULL) return status;
    if (s.probe) return 0;
    run.workload = stress_workload_named(s.workload);
    if (run.workload == NULL) {
        fprintf(stderr, "stress: no workload is named %s\n", s.workload);
        return 1;
    }
    run.lanes = s.lanes;
    run.seed = s.seed;
    run.seconds = s.seconds;
    run.warm_seconds = s.warm_seconds;
    run.operations = s.operations;
    run.check = s.check;
    run.pass = (enum stress_pass)s.pass;
    if (s.plan_fd >= 0) {
        const struct replay_plan *plan = map_plan(&run, s.plan_fd);
        if (plan == NULL) return 1;
        run.plan = plan;
        run.lanes = plan->lanes;
    }
    if (!stress_perform(&run, &outcome)) {
        fprintf(stderr, "stress: %s\n", run.error);
        return 1;
    }
    FILE *result = fdopen(s.result_fd, "w");
    if (result == NULL) return 1;
    stress_report_write(result, &outcome);
    return 0;
}
