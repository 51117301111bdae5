#ifndef LINN_STRESS_TRACE_TRACE_H_
#define LINN_STRESS_TRACE_TRACE_H_

/* trace: the allocation calls of one real process, in the order they happened.
 *
 * In memory a trace is an array of 16-byte events.  Event i happened before
 * event i + 1: an allocation takes its place when the call has returned, a free
 * when the call begins, so a block is never handed out again before its free.
 *
 *     operation       block      size            thread   meaning
 *     TRACE_ALLOC     next id    bytes asked     caller   malloc
 *     TRACE_CALLOC    next id    bytes asked     caller   calloc (product)
 *     TRACE_ALIGNED   next id    bytes asked     caller   align_log2 >= 0
 *     TRACE_REALLOC   live id    new bytes       caller   block keeps its id
 *     TRACE_FREE      live id    0               caller
 *
 * Blocks are numbered 0, 1, 2, ... in the order of their allocation; an id is
 * given once and never again, whatever address the block had.  A realloc is one
 * event and not a pair, so that a replay can call realloc; realloc(NULL, n) was
 * recorded as TRACE_ALLOC, realloc(p, 0) as TRACE_FREE, a failed call not at
 * all.  Threads are numbered 0, 1, 2, ... by their first event and never reused.
 * A recording may be cut: blocks alive at the last event have no free.
 *
 *     (T1)  an event names a block that is live, or the next new one
 *     (T2)  times never decrease (16 us steps since the first event)
 *     (T3)  every thread below trace_threads() has at least one event
 *     (T4)  blocks, frees, cross-thread frees and peak live bytes, as counted
 *           from the events, are what the file's header says
 *
 * A struct trace exists only if T1 to T4 hold: the reader checks them all and
 * says what is wrong with a file that breaks one.  It never trusts a length.
 *
 * The file, after xz:
 *
 *     | magic  "LINNTRC" '1'                 8 bytes    |
 *     | header 16 words of 64 bits, little endian       |  see trace.c
 *     | column of operations    one byte an event       |
 *     | column of threads       one byte, or a varint   |
 *     | column of sizes         varint, no free has one |
 *     | column of identities    varint, free and realloc only
 *     | column of times         varint, steps since the event before
 *
 * Columns beat rows because xz then sees like beside like.  An identity is
 * written as the distance back from the newest block, so that the same habit
 * ("free the newest but two") is the same byte wherever it occurs.
 *
 * Thread safety: a loaded trace is read-only and may be shared.
 * Cost: loading takes one pass and 16 bytes an event.
 * Checked by: stress/trace/trace_test.cc, stress/traces/traces_test.cc. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TRACE_ALLOC = 0,
    TRACE_CALLOC = 1,
    TRACE_ALIGNED = 2,
    TRACE_REALLOC = 3,
    TRACE_FREE = 4,
    TRACE_OPERATIONS = 5, /* how many there are */
};

/* Limits, so that a broken file cannot ask for the machine. */
#define TRACE_SIZE_MAX       UINT32_C(0x7fffffff) /* bytes of one block */
#define TRACE_EVENTS_MAX     UINT32_C(0x08000000)
#define TRACE_THREADS_MAX    UINT32_C(0xffff)
#define TRACE_ALIGN_LOG2_MAX 30
#define TRACE_TIME_STEP_NS   16000

/* One call.  A value; 16 bytes. */
typedef struct trace_event {
    uint32_t block;      /* identity, also an index: 0 .. blocks - 1 */
    uint32_t size;       /* bytes asked for; 0 for a free */
    uint32_t time_steps; /* since the first event, in TRACE_TIME_STEP_NS */
    uint16_t thread;     /* 0 .. threads - 1 */
    uint8_t operation;   /* TRACE_ALLOC .. TRACE_FREE */
    uint8_t align_log2;  /* TRACE_ALIGNED: log2 of the alignment; else 0 */
} trace_event;

/* What the whole trace adds up to. */
typedef struct trace_totals {
    uint64_t events;
    uint64_t blocks; /* allocations, reallocs not counted */
    uint64_t reallocs;
    uint64_t frees;
    uint64_t cross_thread_frees; /* by another thread than allocated it */
    uint64_t peak_live_bytes;    /* of sizes asked for, realloc = change */
    uint64_t peak_live_blocks;
    uint64_t final_live_bytes; /* never freed in the trace */
    uint64_t duration_steps;   /* time of the last event */
    uint32_t threads;
} trace_totals;

struct trace;

/* Reads the file at path.  Returns 0 and a trace in *out, or -1 and one line in
 * error (what is wrong, and at which event) and NULL in *out.  A NULL error is
 * allowed. */
int trace_load(const char *path, struct trace **out, char *error,
               size_t error_size) __attribute__((warn_unused_result));

/* The same from bytes in memory, as they are in a file. */
int trace_decode(const void *bytes, size_t size, struct trace **out,
                 char *error, size_t error_size)
    __attribute__((warn_unused_result));

/* Makes a trace of count events, copied, after checking T1 to T3. */
int trace_build(const trace_event *events, size_t count, struct trace **out,
                char *error, size_t error_size)
    __attribute__((warn_unused_result));

/* Gives a trace's memory back.  NULL is allowed. */
void trace_free(struct trace *t);

/* The events, trace_count() of them. */
const trace_event *trace_events(const struct trace *t);
size_t trace_count(const struct trace *t);
trace_event trace_event_at(const struct trace *t, size_t i);

uint32_t trace_threads(const struct trace *t);
uint32_t trace_blocks(const struct trace *t);
uint64_t trace_peak_live_bytes(const struct trace *t);
trace_totals trace_totals_of(const struct trace *t);

/* Makes the bytes of a file; with_times false leaves the last column zero,
 * which shows how much a trace says apart from its clock.  The caller frees
 * *bytes. */
int trace_encode(const struct trace *t, bool with_times, void **bytes,
                 size_t *size, char *error, size_t error_size)
    __attribute__((warn_unused_result));

/* Writes the file at path, as a whole or not at all. */
int trace_save(const struct trace *t, const char *path, char *error,
               size_t error_size) __attribute__((warn_unused_result));

/* "alloc", "calloc", ...; "?" for what is no operation. */
const char *trace_operation_name(unsigned operation);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* LINN_STRESS_TRACE_TRACE_H_ */
