#include "stress/report.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Every figure once, for both directions. */
enum kind { WHOLE, REAL, FLAG, SMALL };

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
};

#define FIELD(kind, member) \
    {#member, kind, offsetof(struct stress_outcome, member)}

static const struct field fields[] = {
    FIELD(SMALL, lanes),
    FIELD(WHOLE, operations),
    FIELD(REAL, wall_seconds),
    FIELD(REAL, cpu_seconds),
    FIELD(REAL, wait_seconds),
    FIELD(WHOLE, waits),
    FIELD(REAL, ticks_per_ns),
    FIELD(WHOLE, allocations),
    FIELD(WHOLE, frees),
    FIELD(WHOLE, frees_elsewhere),
    FIELD(WHOLE, failed),
    FIELD(WHOLE, checks),
    FIELD(WHOLE, peak_rss_bytes),
    FIELD(WHOLE, final_rss_bytes),
    FIELD(FLAG, has_counters),
    FIELD(FLAG, counters_after.counted),
    FIELD(WHOLE, counters_before.read_modify_writes),
    FIELD(WHOLE, counters_before.retries),
    FIELD(WHOLE, counters_after.read_modify_writes),
    FIELD(WHOLE, counters_after.retries),
    FIELD(WHOLE, counters_final.live_blocks),
    FIELD(WHOLE, counters_final.held_bytes),
};

enum { FIELDS = sizeof fields / sizeof fields[0] };

static void write_histogram(FILE *to, const char *name,
                            const struct stress_histogram *h) {
    for (unsigned i = 0; i < STRESS_HISTOGRAM_BUCKETS; i++) {
        if (h->bucket[i] == 0) continue;
        fprintf(to, "%s %u %llu\n", name, i, (unsigned long long)h->bucket[i]);
    }
    fprintf(to, "%s_largest %llu\n", name, (unsigned long long)h->largest);
}

void stress_report_write(FILE *to, const struct stress_outcome *o) {
    for (int i = 0; i < FIELDS; i++) {
        const void *at = (const char *)o + fields[i].offset;
        fprintf(to, "%s ", fields[i].name);
        switch (fields[i].kind) {
            case WHOLE:
                fprintf(to, "%llu\n",
                        (unsigned long long)*(const uint64_t *)at);
                break;
            case SMALL:
                fprintf(to, "%u\n", *(const uint32_t *)at);
                break;
            case REAL:
                fprintf(to, "%.9f\n", *(const double *)at);
                break;
            case FLAG:
                fprintf(to, "%d\n", *(const bool *)at);
                break;
        }
    }
    write_histogram(to, "alloc_ticks", &o->alloc_ticks);
    write_histogram(to, "free_ticks", &o->free_ticks);
    fprintf(to, "end\n");
    fflush(to);
}

static bool read_field(const char *name, const char *value,
                       struct stress_outcome *o) {
    for (int i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].name, name) != 0) continue;
        void *at = (char *)o + fields[i].offset;
        char *end;
        switch (fields[i].kind) {
            case WHOLE:
                *(uint64_t *)at = strtoull(value, &end, 10);
                break;
            case SMALL:
                *(uint32_t *)at = (uint32_t)strtoul(value, &end, 10);
                break;
            case REAL:
                *(double *)at = strtod(value, &end);
                break;
            default:
                *(bool *)at = strtoul(value, &end, 10) != 0;
                break;
        }
        return end != value && *end == 0;
    }
    return false;
}

static bool read_histogram(const char *name, const char *value,
                           const char *wanted, struct stress_histogram *h) {
    size_t length = strlen(wanted);
    unsigned bucket;
    unsigned long long count;
    if (strncmp(name, wanted, length) != 0) return false;
    if (strcmp(name + length, "_largest") == 0) {
        h->largest = strtoull(value, NULL, 10);
        return true;
    }
    if (name[length] != 0 || sscanf(value, "%u %llu", &bucket, &count) != 2 ||
        bucket >= STRESS_HISTOGRAM_BUCKETS) {
        return false;
    }
    h->bucket[bucket] += count;
    h->count += count;
    return true;
}

bool stress_report_read(const char *text, struct stress_outcome *o, char *error,
                        size_t error_size) {
    memset(o, 0, sizeof *o);
    int seen = 0;
    for (int number = 1; *text != 0; number++) {
        char line[256], name[64];
        size_t length = strcspn(text, "\n");
        if (length >= sizeof line || text[length] == 0) {
            snprintf(error, error_size, "line %d is cut", number);
            return false;
        }
        memcpy(line, text, length);
        line[length] = 0;
        text += length + 1;
        if (strcmp(line, "end") == 0) {
            if (seen == FIELDS && *text == 0) return true;
            snprintf(error, error_size, "%d figures instead of %d", seen,
                     (int)FIELDS);
            return false;
        }
        size_t name_length = strcspn(line, " ");
        const char *value = line + name_length + (line[name_length] == ' ');
        snprintf(name, sizeof name, "%.*s", (int)name_length, line);
        if (read_field(name, value, o)) {
            seen++;
        } else if (!read_histogram(name, value, "alloc_ticks",
                                   &o->alloc_ticks) &&
                   !read_histogram(name, value, "free_ticks", &o->free_ticks)) {
            snprintf(error, error_size, "line %d says \"%s\"", number, line);
            return false;
        }
    }
    snprintf(error, error_size, "it has no end");
    return false;
}
