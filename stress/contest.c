#include "stress/contest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/workload.h"

static struct stress_summary summary_of(const double *values, size_t count) {
    double copy[CONTEST_ROUNDS_MAX];
    memcpy(copy, values, count * sizeof copy[0]);
    return stress_summary_of(copy, count);
}

/* The smallest median of a side on a load; 0 if none was measured. */
static double best_of(const struct contest *c, size_t load,
                      enum contest_side side) {
    double best = 0;
    for (size_t i = 0; i < c->contestants; i++) {
        const struct contest_row *r = contest_row_at(c, load, i);
        if (c->contestant[i].side != side || r->samples == 0) continue;
        double median = summary_of(r->ns_per_operation, r->samples).median;
        if (median > 0 && (best <= 0 || median < best)) best = median;
    }
    return best;
}

struct contest_verdict contest_verdict_of(const struct contest *c, size_t load,
                                          size_t contestant) {
    const struct contest_row *r = contest_row_at(c, load, contestant);
    struct contest_verdict v;
    v.ns = summary_of(r->ns_per_operation, r->samples);
    v.rate = summary_of(r->operations_per_second, r->samples);
    v.peak = summary_of(r->peak_rss, r->samples);
    v.final = summary_of(r->final_rss, r->samples);
    double locked = best_of(c, load, CONTEST_LOCKED);
    double peer = best_of(c, load, CONTEST_PEER);
    v.to_best_locked = locked > 0 ? v.ns.median / locked : 0;
    v.to_best_peer = peer > 0 ? v.ns.median / peer : 0;
    return v;
}

/* ---- For people ---- */

static void print_ratio(double ratio) {
    if (ratio > 0) {
        printf(" %7.2f", ratio);
    } else {
        printf(" %7s", "-");
    }
}

/* Three digits that count, whatever the size. */
static void print_ns(double ns) {
    if (ns < 10) {
        printf(" %7.2f", ns);
    } else if (ns < 100) {
        printf(" %7.1f", ns);
    } else {
        printf(" %7.0f", ns);
    }
}

static void print_row(const struct contest *c, size_t load, size_t i) {
    const struct contestant *who = &c->contestant[i];
    const struct contest_row *r = contest_row_at(c, load, i);
    printf("  %-14s", who->name);
    if (who->missing[0] != 0) {
        printf(" missing: %s\n", who->missing);
        return;
    }
    if (r->failure[0] != 0) {
        printf(" failed: %.400s\n", r->failure);
        return;
    }
    if (r->samples == 0) {
        printf(" not measured\n");
        return;
    }
    struct contest_verdict v = contest_verdict_of(c, load, i);
    print_ns(v.ns.median);
    printf(" %4.0f%%", v.ns.spread * 100);
    print_ratio(v.to_best_locked);
    print_ratio(v.to_best_peer);
    printf(" %7.2f", v.rate.median * 1e-6);
    if (r->has_latency) {
        printf(" %6.0f %6.0f %7.0f %8.1f", r->call_ns[0], r->call_ns[1],
               r->call_ns[2], r->call_ns[3] * 1e-3);
    } else {
        printf(" %6s %6s %7s %8s", "-", "-", "-", "-");
    }
    printf(" %7.1f %7.1f", v.peak.median / 1048576, v.final.median / 1048576);
    if (r->has_counts) {
        printf(" %8.4f %8.5f", r->locked_per_operation,
               r->retries_per_operation);
    } else {
        printf(" %8s %8s", "-", "-");
    }
    printf("\n");
}

static double clock_of(const struct contest *c) {
    for (size_t i = 0; i < c->loads * c->contestants; i++) {
        if (c->row[i].has_latency) return c->row[i].clock_ns;
    }
    return 0;
}

static void print_notes(const struct contest *c) {
    printf(
        "\nAn operation is one call: alloc, realloc or free.  ns/op is CPU "
        "time "
        "of the process,\nwaiting for other lanes taken off; Mop/s is by the "
        "wall clock.  +- is half the range of\n%d rounds.  Ratios are of "
        "ns/op: "
        "to the best locked variant of linn, to the best peer.\np50 to max is "
        "a "
        "pass of its own, the clock's cost in it (about %.0f ns).  RSS without "
        "the\ndriver's tables and without file pages.  locked and retries: a "
        "pass of its own; per operation.\n",
        c->rounds, clock_of(c));
}

void contest_print(const struct contest *c) {
    const struct stress_machine *m = &c->machine;
    printf("%s, %d cores, %s; %s, %s; commit %s; seed %llu%s\n", m->cpu,
           m->cores, m->kernel, m->compiler, m->build, m->commit,
           (unsigned long long)c->seed,
           c->check ? "; canaries on: its times are no times" : "");
    if (c->interrupted) {
        printf("INTERRUPTED after %zu of %zu cells\n", c->cells_done, c->cells);
    }
    for (size_t load = 0; load < c->loads; load++) {
        uint32_t threads = 0;
        for (size_t i = 0; i < c->contestants; i++) {
            const struct contest_row *r = contest_row_at(c, load, i);
            if (r->threads > threads) threads = r->threads;
        }
        if (threads == 0) threads = c->load[load].threads;
        char title[96];
        snprintf(title, sizeof title, "%s%s, %u thread%s",
                 c->load[load].trace_path != NULL ? "trace " : "",
                 c->load[load].name, threads, threads == 1 ? "" : "s");
        printf("\n%s\n", title);
        printf("  %-14s %7s %5s %7s %7s %7s %6s %6s %7s %8s %7s %7s %8s %8s\n",
               "", "ns/op", "+-", "/locked", "/peer", "Mop/s", "p50", "p99",
               "p99.9", "max us", "peak", "final", "locked", "retries");
        printf("  %-14s %7s %5s %7s %7s %7s %6s %6s %7s %8s %7s %7s %8s %8s\n",
               "", "", "", "", "", "", "ns", "ns", "ns", "", "MiB", "MiB",
               "/op", "/op");
        for (size_t i = 0; i < c->contestants; i++) {
            print_row(c, load, i);
        }
    }
    print_notes(c);
    fflush(stdout);
}

/* ---- For programs ---- */

static const char *side_name(enum contest_side side) {
    static const char *const names[] = {"ours", "locked", "peer"};
    return names[side];
}

bool contest_write_csv(const struct contest *c, const char *path) {
    FILE *f = fopen(path, "w");
    if (f == NULL) return false;
    const struct stress_machine *m = &c->machine;
    fprintf(f, "# %s; %d cores; %s; %s; %s; commit %s; seed %llu\n", m->cpu,
            m->cores, m->kernel, m->compiler, m->build, m->commit,
            (unsigned long long)c->seed);
    fprintf(f,
            "workload,threads,subject,side,rounds,ns_per_operation,"
            "ns_smallest,ns_largest,ratio_to_best_locked,ratio_to_best_peer,"
            "operations_per_second,p50_ns,p99_ns,p999_ns,max_ns,"
            "peak_rss_bytes,final_rss_bytes,locked_per_operation,"
            "retries_per_operation,note\n");
    for (size_t load = 0; load < c->loads; load++) {
        for (size_t i = 0; i < c->contestants; i++) {
            const struct contest_row *r = contest_row_at(c, load, i);
            struct contest_verdict v = contest_verdict_of(c, load, i);
            fprintf(f, "%s,%u,%s,%s,%zu,%.3f,%.3f,%.3f,%.4f,%.4f,%.0f,",
                    c->load[load].name,
                    r->threads ? r->threads : c->load[load].threads,
                    c->contestant[i].name, side_name(c->contestant[i].side),
                    r->samples, v.ns.median, v.ns.smallest, v.ns.largest,
                    v.to_best_locked, v.to_best_peer, v.rate.median);
            if (r->has_latency) {
                fprintf(f, "%.1f,%.1f,%.1f,%.1f,", r->call_ns[0], r->call_ns[1],
                        r->call_ns[2], r->call_ns[3]);
            } else {
                fprintf(f, ",,,,");
            }
            fprintf(f, "%.0f,%.0f,", v.peak.median, v.final.median);
            if (r->has_counts) {
                fprintf(f, "%.6f,%.6f,", r->locked_per_operation,
                        r->retries_per_operation);
            } else {
                fprintf(f, ",,");
            }
            fprintf(f, "%s\n",
                    c->contestant[i].missing[0] ? "missing"
                    : r->failure[0]             ? "failed"
                                                : "");
        }
    }
    bool good = ferror(f) == 0;
    return fclose(f) == 0 && good;
}

static json_t *json_summary(struct stress_summary s, const double *samples) {
    json_t *list = json_array();
    for (size_t i = 0; i < s.count; i++) {
        json_array_append_new(list, json_real(samples[i]));
    }
    return json_pack("{s:f, s:f, s:f, s:f, s:o}", "median", s.median,
                     "smallest", s.smallest, "largest", s.largest, "spread",
                     s.spread, "samples", list);
}

static json_t *json_percentiles(const double ns[4]) {
    return json_pack("{s:f, s:f, s:f, s:f}", "p50", ns[0], "p99", ns[1], "p999",
                     ns[2], "max", ns[3]);
}

static json_t *json_row(const struct contest *c, size_t load, size_t i) {
    const struct contest_row *r = contest_row_at(c, load, i);
    const struct contestant *who = &c->contestant[i];
    struct contest_verdict v = contest_verdict_of(c, load, i);
    json_t *o =
        json_pack("{s:s, s:b, s:i, s:s, s:s}", "workload", c->load[load].name,
                  "trace", c->load[load].trace_path != NULL, "threads",
                  (int)(r->threads ? r->threads : c->load[load].threads),
                  "subject", who->name, "side", side_name(who->side));
    if (who->missing[0]) {
        json_object_set_new(o, "missing", json_string(who->missing));
    }
    if (r->failure[0]) {
        json_object_set_new(o, "failure", json_string(r->failure));
    }
    if (r->samples > 0) {
        json_object_set_new(o, "ns_per_operation",
                            json_summary(v.ns, r->ns_per_operation));
        json_object_set_new(o, "operations_per_second",
                            json_summary(v.rate, r->operations_per_second));
        json_object_set_new(o, "peak_rss_bytes",
                            json_summary(v.peak, r->peak_rss));
        json_object_set_new(o, "final_rss_bytes",
                            json_summary(v.final, r->final_rss));
        json_object_set_new(
            o, "waits_per_1000_operations",
            json_summary(summary_of(r->waits_per_1000, r->samples),
                         r->waits_per_1000));
        json_object_set_new(o, "failed_allocations",
                            json_integer((json_int_t)r->failed_allocations));
        if (v.to_best_locked > 0) {
            json_object_set_new(o, "ratio_to_best_locked",
                                json_real(v.to_best_locked));
        }
        if (v.to_best_peer > 0) {
            json_object_set_new(o, "ratio_to_best_peer",
                                json_real(v.to_best_peer));
        }
    }
    if (r->has_latency) {
        json_object_set_new(
            o, "latency_ns",
            json_pack("{s:f, s:o, s:o, s:o}", "clock", r->clock_ns, "call",
                      json_percentiles(r->call_ns), "alloc",
                      json_percentiles(r->alloc_ns), "free",
                      json_percentiles(r->free_ns)));
    }
    if (r->has_counts) {
        json_object_set_new(o, "locked_per_operation",
                            json_real(r->locked_per_operation));
        json_object_set_new(o, "retries_per_operation",
                            json_real(r->retries_per_operation));
    }
    return o;
}

bool contest_write_json(const struct contest *c, const char *path) {
    const struct stress_machine *m = &c->machine;
    json_t *rows = json_array();
    for (size_t load = 0; load < c->loads; load++) {
        for (size_t i = 0; i < c->contestants; i++) {
            json_array_append_new(rows, json_row(c, load, i));
        }
    }
    json_t *all = json_pack(
        "{s:{s:s, s:i, s:s, s:s, s:s, s:s},"
        " s:{s:i, s:f, s:f, s:f, s:f, s:I, s:b}, s:b, s:o}",
        "machine", "cpu", m->cpu, "cores", m->cores, "kernel", m->kernel,
        "compiler", m->compiler, "build", m->build, "commit", m->commit,
        "settings", "rounds", c->rounds, "seconds", c->seconds, "warm_seconds",
        c->warm_seconds, "latency_seconds", c->latency_seconds, "count_seconds",
        c->count_seconds, "seed", (json_int_t)c->seed, "check", (int)c->check,
        "interrupted", (int)c->interrupted, "cells", rows);
    if (all == NULL) {
        errno = ENOMEM;
        return false;
    }
    errno = 0;
    bool written =
        json_dump_file(all, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0;
    json_decref(all);
    return written;
}
