#ifndef LINN_STRESS_TRACE_CONVERT_H_
#define LINN_STRESS_TRACE_CONVERT_H_

/* convert: from what the recorder left behind (raw.h) to a trace (trace.h).
 *
 *     parent.raw  |--- up to fork_sequence ---|
 *     child.raw                               |--- own records ---|
 *                  \____________ sorted by sequence number _______/
 *                                 addresses become identities
 *
 * The trace is a prefix of the process's history, ended by the limit the caller
 * sets or by the first number the recorder had to lose.  Nothing is invented:
 * a free of an address that no record gave out is left out and counted, and so
 * is a block whose address is given out again without a free (it stays live).
 *
 * Cost: 32 bytes a record of memory; a sort.
 * Checked by: recorder_test.cc. */

#include <stddef.h>
#include <stdint.h>

#include "stress/trace/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the recording held and what had to be left out. */
typedef struct convert_report {
    char program[32];
    uint32_t pid;
    uint32_t forks;     /* parents whose history is part of this one */
    uint64_t records;   /* whole ones, of all files */
    uint64_t left_over; /* records behind the end of the trace */
    uint64_t lost_from; /* sequence number, or UINT64_MAX */
    uint64_t unknown_frees;
    uint64_t unknown_reallocs;
    uint64_t failed_reallocs;
    uint64_t reused_without_free;
} convert_report;

/* Reads the recording at path (its parents are looked for beside it) and makes
 * a trace of at most events_max events.  Returns 0, or -1 with one line in
 * error and NULL in *out. */
int convert_recording(const char *path, size_t events_max, struct trace **out,
                      convert_report *report, char *error, size_t error_size)
    __attribute__((warn_unused_result));

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* LINN_STRESS_TRACE_CONVERT_H_ */
