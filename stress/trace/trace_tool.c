/* trace_tool: looks at traces, and makes them from recordings.
 *
 *     trace_tool info FILE...             what each adds up to
 *     trace_tool dump FILE                one line an event
 *     trace_tool convert RAW TRACE [EVENTS_MAX]
 *
 * Lines of info and convert are `name value`, for people and for scripts. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/trace/convert.h"
#include "stress/trace/trace.h"

#define ERROR_SIZE 512

static int complain(const char *error) {
    fprintf(stderr, "trace_tool: %s\n", error);
    return 1;
}

static void print_totals(const struct trace *t) {
    trace_totals a = trace_totals_of(t);
    uint64_t by_operation[TRACE_OPERATIONS] = {0};
    for (size_t i = 0; i < trace_count(t); i++)
        by_operation[trace_event_at(t, i).operation]++;
    printf("events %" PRIu64 "\n", a.events);
    for (unsigned i = 0; i < TRACE_OPERATIONS; i++)
        printf("events_%s %" PRIu64 "\n", trace_operation_name(i),
               by_operation[i]);
    printf("threads %" PRIu32 "\n", a.threads);
    printf("blocks %" PRIu64 "\n", a.blocks);
    printf("frees %" PRIu64 "\n", a.frees);
    printf("cross_thread_frees %" PRIu64 "\n", a.cross_thread_frees);
    printf("cross_thread_percent %.2f\n",
           a.frees == 0
               ? 0.0
               : 100.0 * (double)a.cross_thread_frees / (double)a.frees);
    printf("peak_live_bytes %" PRIu64 "\n", a.peak_live_bytes);
    printf("peak_live_blocks %" PRIu64 "\n", a.peak_live_blocks);
    printf("final_live_bytes %" PRIu64 "\n", a.final_live_bytes);
    printf("duration_ms %" PRIu64 "\n",
           a.duration_steps * TRACE_TIME_STEP_NS / 1000000);
}

/* What the trace says apart from its clock; takes seconds. */
static int print_packed(const struct trace *t) {
    char error[ERROR_SIZE];
    void *bytes;
    size_t with_times, without_times;
    if (trace_encode(t, true, &bytes, &with_times, error, sizeof error) != 0)
        return complain(error);
    free(bytes);
    if (trace_encode(t, false, &bytes, &without_times, error, sizeof error) !=
        0)
        return complain(error);
    free(bytes);
    printf("packed_bytes %zu\n", with_times);
    printf("packed_bytes_without_times %zu\n", without_times);
    return 0;
}

static int info(const char *path) {
    char error[ERROR_SIZE];
    struct trace *t;
    if (trace_load(path, &t, error, sizeof error) != 0) return complain(error);
    printf("file %s\n", path);
    print_totals(t);
    trace_free(t);
    return 0;
}

static int dump(const char *path) {
    char error[ERROR_SIZE];
    struct trace *t;
    if (trace_load(path, &t, error, sizeof error) != 0) return complain(error);
    for (size_t i = 0; i < trace_count(t); i++) {
        trace_event e = trace_event_at(t, i);
        printf("%zu %" PRIu32 " us thread %u %s %u", i,
               e.time_steps * (TRACE_TIME_STEP_NS / 1000), e.thread,
               trace_operation_name(e.operation), e.block);
        if (e.operation != TRACE_FREE) printf(" size %u", e.size);
        if (e.operation == TRACE_ALIGNED)
            printf(" align %llu", 1ULL << e.align_log2);
        printf("\n");
    }
    trace_free(t);
    return 0;
}

static int convert(const char *raw, const char *path, const char *limit) {
    char error[ERROR_SIZE];
    struct trace *t;
    convert_report r;
    size_t events_max = TRACE_EVENTS_MAX;
    if (limit != NULL) {
        char *end;
        errno = 0;
        unsigned long long n = strtoull(limit, &end, 10);
        if (errno != 0 || *limit < '0' || *limit > '9' || *end != '\0' ||
            n == 0 || n > TRACE_EVENTS_MAX)
            return complain("EVENTS_MAX is no number in 1..2^27");
        events_max = (size_t)n;
    }
    if (convert_recording(raw, events_max, &t, &r, error, sizeof error) != 0)
        return complain(error);
    if (trace_save(t, path, error, sizeof error) != 0) {
        trace_free(t);
        return complain(error);
    }
    printf("program %s\n", r.program);
    printf("forks %" PRIu32 "\n", r.forks);
    printf("records %" PRIu64 "\n", r.records);
    printf("left_over %" PRIu64 "\n", r.left_over);
    printf("lost %d\n", r.lost_from != UINT64_MAX);
    printf("unknown_frees %" PRIu64 "\n", r.unknown_frees);
    printf("unknown_reallocs %" PRIu64 "\n", r.unknown_reallocs);
    printf("failed_reallocs %" PRIu64 "\n", r.failed_reallocs);
    printf("reused_without_free %" PRIu64 "\n", r.reused_without_free);
    print_totals(t);
    int result = print_packed(t);
    trace_free(t);
    return result;
}

int main(int argc, char **argv) {
    if (argc >= 3 && strcmp(argv[1], "info") == 0) {
        int result = 0;
        for (int i = 2; i < argc; i++)
            result |= info(argv[i]);
        return result;
    }
    if (argc == 3 && strcmp(argv[1], "dump") == 0) return dump(argv[2]);
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "convert") == 0)
        return convert(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
    fprintf(stderr,
            "usage: trace_tool info FILE...\n"
            "       trace_tool dump FILE\n"
            "       trace_tool convert RAW TRACE [EVENTS_MAX]\n");
    return 2;
}
