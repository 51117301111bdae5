#include "stress/trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The header's words, each little endian.  The last is 0. */
enum {
    WORD_EVENTS,
    WORD_BLOCKS,
    WORD_REALLOCS,
    WORD_FREES,
    WORD_CROSS_THREAD_FREES,
    WORD_PEAK_LIVE_BYTES,
    WORD_PEAK_LIVE_BLOCKS,
    WORD_FINAL_LIVE_BYTES,
    WORD_DURATION,
    WORD_THREADS,
    WORD_COLUMNS, /* five lengths in bytes follow */
    WORD_RESERVED = WORD_COLUMNS + 5,
    WORDS,
};

enum {
    COLUMN_OPERATION,
    COLUMN_THREAD,
    COLUMN_SIZE,
    COLUMN_BLOCK,
    COLUMN_TIME,
    COLUMNS,
};

#define MAGIC_SIZE       8
#define HEADER_SIZE      (MAGIC_SIZE + 8 * WORDS)
#define VARINT_BYTES_MAX 5
#define FILE_BYTES_MAX   ((size_t)256 << 20)
#define DECODER_MEMORY   (UINT64_C(256) << 20)

static const char magic[MAGIC_SIZE] = {'L', 'I', 'N', 'N', 'T', 'R', 'C', '1'};

struct trace {
    trace_event *events;
    trace_totals totals;
};

/* One line for the caller; always -1, so that `return FAIL(...)` reads well. */
struct report {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void say(struct report r,
                                                      const char *format, ...) {
    if (r.text == NULL || r.size == 0) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r.text, r.size, format, arguments);
    va_end(arguments);
}

/* Not a function, so that a reader of the code, man or tool, sees the -1. */
#define FAIL(report, ...) (say((report), __VA_ARGS__), -1)

/* ---- Bytes ------------------------------------------------------------- */

struct bytes {
    uint8_t *at;
    size_t size, room;
};

static void put_byte(struct bytes *b, uint8_t byte) {
    b->at[b->size++] = byte;
}

/* Seven bits a byte, low ones first, the top bit says that more follow. */
static void put_varint(struct bytes *b, uint32_t n) {
    for (; n >= 0x80; n >>= 7)
        put_byte(b, (uint8_t)(n | 0x80));
    put_byte(b, (uint8_t)n);
}

static void put_word(uint8_t *to, uint64_t n) {
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(n >> (8 * i));
}

static uint64_t word_at(const uint8_t *from) {
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)from[i] << (8 * i);
    return n;
}

struct column {
    const uint8_t *at, *end;
};

/* False at the end of the column and for a number beyond 32 bits. */
static bool take_varint(struct column *c, uint32_t *n) {
    uint64_t value = 0;
    for (int shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        if (c->at == c->end) return false;
        uint8_t byte = *c->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *n = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

/* ---- What holds of a trace -------------------------------------------- */

struct block {
    uint32_t size;
    uint16_t thread;
    bool live;
};

static bool is_allocation(unsigned operation) {
    return operation <= TRACE_ALIGNED;
}

/* Checks T1 to T3 and adds up the totals. */
static int count_events(const trace_event *events, size_t count,
                        trace_totals *out, struct report r) {
    trace_totals t = {.events = count};
    uint64_t live_bytes = 0, live_blocks = 0;
    size_t allocations = 0, threads_seen = 0;
    int result = -1;
    for (size_t i = 0; i < count; i++)
        allocations += is_allocation(events[i].operation);
    struct block *blocks = calloc(allocations + 1, sizeof *blocks);
    bool *seen = calloc(TRACE_THREADS_MAX + 1, sizeof *seen);
    if (blocks == NULL || seen == NULL) {
        say(r, "out of memory for %zu blocks", allocations);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        trace_event e = events[i];
        if (e.operation >= TRACE_OPERATIONS) {
            say(r, "event %zu: no operation has number %u", i, e.operation);
            goto done;
        }
        if (e.thread >= TRACE_THREADS_MAX) {
            say(r, "event %zu: thread %u is beyond %u", i, e.thread,
                TRACE_THREADS_MAX - 1);
            goto done;
        }
        if (e.size > TRACE_SIZE_MAX) {
            say(r, "event %zu: size %u is beyond %u", i, e.size,
                TRACE_SIZE_MAX);
            goto done;
        }
        if (e.align_log2 > TRACE_ALIGN_LOG2_MAX ||
            (e.align_log2 != 0 && e.operation != TRACE_ALIGNED)) {
            say(r, "event %zu: %s has alignment 2^%u", i,
                trace_operation_name(e.operation), e.align_log2);
            goto done;
        }
        if (e.time_steps < t.duration_steps) {
            say(r, "event %zu: time goes back from %llu to %u", i,
                (unsigned long long)t.duration_steps, e.time_steps);
            goto done;
        }
        t.duration_steps = e.time_steps;
        if (!seen[e.thread]) {
            seen[e.thread] = true;
            threads_seen++;
        }
        if (e.thread >= t.threads) t.threads = e.thread + 1u;

        if (is_allocation(e.operation)) {
            if (e.block != t.blocks) {
                say(r, "event %zu: allocates block %u, the next one is %llu", i,
                    e.block, (unsigned long long)t.blocks);
                goto done;
            }
            t.blocks++;
            blocks[e.block] = (struct block){e.size, e.thread, true};
            live_bytes += e.size;
            live_blocks++;
        } else {
            const char *name = trace_operation_name(e.operation);
            if (e.block >= t.blocks) {
                say(r, "event %zu: %s of block %u, which was never allocated",
                    i, name, e.block);
                goto done;
            }
            struct block *b = &blocks[e.block];
            if (!b->live) {
                say(r, "event %zu: %s of block %u, which is already free", i,
                    name, e.block);
                goto done;
            }
            live_bytes -= b->size;
            if (e.operation == TRACE_FREE) {
                if (e.size != 0) {
                    say(r, "event %zu: a free has size %u", i, e.size);
                    goto done;
                }
                b->live = false;
                live_blocks--;
                t.frees++;
                t.cross_thread_frees += b->thread != e.thread;
            } else {
                /* The memory now comes from whoever called realloc. */
                b->size = e.size;
                b->thread = e.thread;
                live_bytes += e.size;
                t.reallocs++;
            }
        }
        if (live_bytes > t.peak_live_bytes) t.peak_live_bytes = live_bytes;
        if (live_blocks > t.peak_live_blocks) t.peak_live_blocks = live_blocks;
    }
    if (threads_seen != t.threads) {
        say(r, "%zu of %u threads have events", threads_seen, t.threads);
        goto done;
    }
    t.final_live_bytes = live_bytes;
    *out = t;
    result = 0;
done:
    free(seen);
    free(blocks);
    return result;
}

/* Takes the events over, whatever comes of it. */
static int adopt(trace_event *events, size_t count, struct trace **out,
                 struct report r) {
    struct trace *t = calloc(1, sizeof *t);
    if (t == NULL) {
        free(events);
        return FAIL(r, "out of memory");
    }
    t->events = events;
    if (count_events(events, count, &t->totals, r) != 0) {
        trace_free(t);
        return -1;
    }
    *out = t;
    return 0;
}

int trace_build(const trace_event *events, size_t count, struct trace **out,
                char *error, size_t error_size) {
    struct report r = {error, error_size};
    *out = NULL;
    if (count > TRACE_EVENTS_MAX)
        return FAIL(r, "%zu events are more than %u", count, TRACE_EVENTS_MAX);
    trace_event *copy = malloc((count + 1) * sizeof *copy);
    if (copy == NULL) return FAIL(r, "out of memory for %zu events", count);
    if (count != 0) memcpy(copy, events, count * sizeof *copy);
    return adopt(copy, count, out, r);
}

/* ---- Reading ------------------------------------------------------------ */

struct decoder {
    lzma_stream stream;
    lzma_ret state;
};

static const char *xz_error(lzma_ret state) {
    switch (state) {
        case LZMA_FORMAT_ERROR:
            return "is no xz file";
        case LZMA_DATA_ERROR:
            return "is damaged (xz check failed)";
        case LZMA_BUF_ERROR:
            return "is truncated";
        case LZMA_MEMLIMIT_ERROR:
            return "needs too much memory to unpack";
        case LZMA_MEM_ERROR:
            return "cannot be unpacked: out of memory";
        default:
            return "cannot be unpacked";
    }
}

/* Fills exactly size bytes; anything less is an error with a reason. */
static int unpack(struct decoder *d, uint8_t *to, size_t size,
                  struct report r) {
    d->stream.next_out = to;
    d->stream.avail_out = size;
    while (d->stream.avail_out != 0 && d->state == LZMA_OK)
        d->state = lzma_code(&d->stream, LZMA_FINISH);
    d->stream.next_out = NULL; /* The caller's buffer is the caller's again. */
    if (d->stream.avail_out == 0 &&
        (d->state == LZMA_OK || d->state == LZMA_STREAM_END))
        return 0;
    if (d->state == LZMA_STREAM_END)
        return FAIL(r, "is truncated: %zu bytes are missing",
                    d->stream.avail_out);
    return FAIL(r, "%s", xz_error(d->state));
}

/* True if the stream ends here and nothing follows it. */
static int unpack_end(struct decoder *d, struct report r) {
    uint8_t more;
    d->stream.next_out = &more;
    d->stream.avail_out = 1;
    if (d->state == LZMA_OK) d->state = lzma_code(&d->stream, LZMA_FINISH);
    d->stream.next_out = NULL;
    if (d->stream.avail_out == 0) return FAIL(r, "has bytes after its columns");
    if (d->state != LZMA_STREAM_END) return FAIL(r, "%s", xz_error(d->state));
    if (d->stream.avail_in != 0) return FAIL(r, "has bytes after its end");
    return 0;
}

/* Checks the header's lengths against each other, so that what is allocated
 * for them is bounded by what the file can hold. */
static int check_header(const uint64_t word[WORDS], struct report r) {
    uint64_t events = word[WORD_EVENTS];
    if (events > TRACE_EVENTS_MAX)
        return FAIL(r, "header: %llu events are more than %u",
                    (unsigned long long)events, TRACE_EVENTS_MAX);
    if (word[WORD_RESERVED] != 0)
        return FAIL(r, "header: the reserved word is not 0");
    const char *name[COLUMNS] = {"operation", "thread", "size", "block",
                                 "time"};
    for (int i = 0; i < COLUMNS; i++) {
        uint64_t bytes = word[WORD_COLUMNS + i];
        if (bytes > events * VARINT_BYTES_MAX)
            return FAIL(r, "header: %llu bytes of %ss for %llu events",
                        (unsigned long long)bytes, name[i],
                        (unsigned long long)events);
    }
    if (word[WORD_COLUMNS + COLUMN_OPERATION] != events)
        return FAIL(r, "header: %llu operations for %llu events",
                    (unsigned long long)word[WORD_COLUMNS + COLUMN_OPERATION],
                    (unsigned long long)events);
    return 0;
}

/* Turns columns into events.  Only what the columns need to be read at all is
 * checked here; count_events judges the events. */
static int read_columns(struct column column[COLUMNS], trace_event *events,
                        size_t count, struct report r) {
    uint32_t allocated = 0;
    uint64_t time = 0;
    for (size_t i = 0; i < count; i++) {
        trace_event *e = &events[i];
        uint32_t thread, size = 0, distance, elapsed;
        uint8_t byte = *column[COLUMN_OPERATION].at++;
        e->operation = byte & 7;
        e->align_log2 = byte >> 3;
        if (!take_varint(&column[COLUMN_THREAD], &thread))
            return FAIL(r, "event %zu: bad thread", i);
        if (thread >= TRACE_THREADS_MAX)
            return FAIL(r, "event %zu: thread %u is beyond %u", i, thread,
                        TRACE_THREADS_MAX - 1);
        e->thread = (uint16_t)thread;
        if (e->operation != TRACE_FREE &&
            !take_varint(&column[COLUMN_SIZE], &size))
            return FAIL(r, "event %zu: bad size", i);
        e->size = size;
        if (is_allocation(e->operation)) {
            e->block = allocated++;
        } else {
            if (!take_varint(&column[COLUMN_BLOCK], &distance))
                return FAIL(r, "event %zu: bad block", i);
            if (distance >= allocated)
                return FAIL(r,
                            "event %zu: %s of a block %u before the newest of "
                            "%u, which was never allocated",
                            i, trace_operation_name(e->operation), distance,
                            allocated);
            e->block = allocated - 1 - distance;
        }
        if (!take_varint(&column[COLUMN_TIME], &elapsed))
            return FAIL(r, "event %zu: bad time", i);
        time += elapsed;
        if (time > UINT32_MAX)
            return FAIL(r, "event %zu: time does not fit 32 bits", i);
        e->time_steps = (uint32_t)time;
    }
    for (int i = 0; i < COLUMNS; i++)
        if (column[i].at != column[i].end)
            return FAIL(r, "column %d has %td bytes too many", i,
                        column[i].end - column[i].at);
    return 0;
}

static int check_totals(const trace_totals *t, const uint64_t word[WORDS],
                        struct report r) {
    const struct {
        const char *name;
        uint64_t counted;
    } totals[] = {
        [WORD_EVENTS] = {"events", t->events},
        [WORD_BLOCKS] = {"blocks", t->blocks},
        [WORD_REALLOCS] = {"reallocs", t->reallocs},
        [WORD_FREES] = {"frees", t->frees},
        [WORD_CROSS_THREAD_FREES] = {"cross-thread frees",
                                     t->cross_thread_frees},
        [WORD_PEAK_LIVE_BYTES] = {"peak live bytes", t->peak_live_bytes},
        [WORD_PEAK_LIVE_BLOCKS] = {"peak live blocks", t->peak_live_blocks},
        [WORD_FINAL_LIVE_BYTES] = {"final live bytes", t->final_live_bytes},
        [WORD_DURATION] = {"duration", t->duration_steps},
        [WORD_THREADS] = {"threads", t->threads},
    };
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
        if (totals[i].counted != word[i])
            return FAIL(r, "header says %s %llu, its events have %llu",
                        totals[i].name, (unsigned long long)word[i],
                        (unsigned long long)totals[i].counted);
    return 0;
}

static int decode_stream(struct decoder *d, struct trace **out,
                         struct report r) {
    uint8_t head[HEADER_SIZE];
    uint64_t word[WORDS];
    if (unpack(d, head, sizeof head, r) != 0) return -1;
    if (memcmp(head, magic, MAGIC_SIZE - 1) != 0)
        return FAIL(r, "is no trace (wrong magic)");
    if (head[MAGIC_SIZE - 1] != (uint8_t)magic[MAGIC_SIZE - 1])
        return FAIL(r, "is a trace of format %c, this reader knows %c",
                    head[MAGIC_SIZE - 1] >= ' ' && head[MAGIC_SIZE - 1] < 127
                        ? head[MAGIC_SIZE - 1]
                        : '?',
                    magic[MAGIC_SIZE - 1]);
    for (size_t i = 0; i < WORDS; i++)
        word[i] = word_at(head + MAGIC_SIZE + 8 * i);
    if (check_header(word, r) != 0) return -1;

    size_t count = (size_t)word[WORD_EVENTS], total = 0;
    for (int i = 0; i < COLUMNS; i++)
        total += (size_t)word[WORD_COLUMNS + i];
    uint8_t *packed = malloc(total + 1);
    trace_event *events = malloc((count + 1) * sizeof *events);
    int result = -1;
    if (packed == NULL || events == NULL) {
        say(r, "out of memory for %zu events", count);
    } else if (unpack(d, packed, total, r) == 0 && unpack_end(d, r) == 0) {
        struct column column[COLUMNS];
        const uint8_t *at = packed;
        for (int i = 0; i < COLUMNS; i++) {
            column[i].at = at;
            column[i].end = at += word[WORD_COLUMNS + i];
        }
        result = read_columns(column, events, count, r);
    }
    free(packed);
    if (result != 0) {
        free(events);
        return -1;
    }
    if (adopt(events, count, out, r) != 0) return -1;
    if (check_totals(&(*out)->totals, word, r) != 0) {
        trace_free(*out);
        *out = NULL;
        return -1;
    }
    return 0;
}

int trace_decode(const void *bytes, size_t size, struct trace **out,
                 char *error, size_t error_size) {
    struct report r = {error, error_size};
    struct decoder d = {.stream = LZMA_STREAM_INIT, .state = LZMA_OK};
    *out = NULL;
    lzma_ret begun = lzma_stream_decoder(&d.stream, DECODER_MEMORY, 0);
    if (begun != LZMA_OK) return FAIL(r, "%s", xz_error(begun));
    d.stream.next_in = bytes;
    d.stream.avail_in = size;
    int result = decode_stream(&d, out, r);
    lzma_end(&d.stream);
    return result;
}

/* Reads a whole file of bounded size. */
static int read_file(const char *path, uint8_t **bytes, size_t *size,
                     struct report r) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat s;
    if (fd < 0) return FAIL(r, "%s: %s", path, strerror(errno));
    if (fstat(fd, &s) != 0) {
        int code = errno;
        close(fd);
        return FAIL(r, "%s: %s", path, strerror(code));
    }
    if (!S_ISREG(s.st_mode) || s.st_size < 0 ||
        (uint64_t)s.st_size > FILE_BYTES_MAX) {
        close(fd);
        return FAIL(r, "%s: is no regular file of at most %zu bytes", path,
                    FILE_BYTES_MAX);
    }
    size_t room = (size_t)s.st_size, used = 0;
    uint8_t *buffer = malloc(room + 1);
    if (buffer == NULL) {
        close(fd);
        return FAIL(r, "%s: out of memory for %zu bytes", path, room);
    }
    while (used < room) {
        ssize_t got = read(fd, buffer + used, room - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            int code = errno;
            free(buffer);
            close(fd);
            return FAIL(r, "%s: %s", path, strerror(code));
        }
        if (got == 0) break; /* It shrank; the decoder will say so. */
        used += (size_t)got;
    }
    close(fd);
    *bytes = buffer;
    *size = used;
    return 0;
}

int trace_load(const char *path, struct trace **out, char *error,
               size_t error_size) {
    struct report r = {error, error_size};
    uint8_t *bytes = NULL;
    size_t size = 0;
    char reason[256];
    *out = NULL;
    if (read_file(path, &bytes, &size, r) != 0) return -1;
    int result = trace_decode(bytes, size, out, reason, sizeof reason);
    free(bytes);
    return result == 0 ? 0 : FAIL(r, "%s: %s", path, reason);
}

/* ---- Writing ------------------------------------------------------------ */

/* Lays the columns out one after the other, as they are before xz. */
static void write_columns(const struct trace *t, bool with_times,
                          struct bytes *b, size_t length[COLUMNS]) {
    size_t count = trace_count(t);
    for (int c = 0; c < COLUMNS; c++) {
        size_t before = b->size;
        uint32_t allocated = 0, time = 0;
        for (size_t i = 0; i < count; i++) {
            trace_event e = t->events[i];
            bool fresh = is_allocation(e.operation);
            allocated += fresh;
            switch (c) {
                case COLUMN_OPERATION:
                    put_byte(b, (uint8_t)(e.operation | e.align_log2 << 3));
                    break;
                case COLUMN_THREAD:
                    put_varint(b, e.thread);
                    break;
                case COLUMN_SIZE:
                    if (e.operation != TRACE_FREE) put_varint(b, e.size);
                    break;
                case COLUMN_BLOCK:
                    if (!fresh) put_varint(b, allocated - 1 - e.block);
                    break;
                default:
                    put_varint(b, with_times ? e.time_steps - time : 0);
                    time = e.time_steps;
                    break;
            }
        }
        length[c] = b->size - before;
    }
}

/* Bytes of columns have no alignment to each other, so no position bits. */
static int pack(const struct bytes *b, void **bytes, size_t *size,
                struct report r) {
    lzma_options_lzma options;
    if (lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME))
        return FAIL(r, "xz has no preset 9");
    options.pb = 0;
    /* No more dictionary than there is to look up: readers need as much. */
    if (b->size < options.dict_size)
        options.dict_size = b->size < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN
                                                         : (uint32_t)b->size;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options},
                             {LZMA_VLI_UNKNOWN, NULL}};
    size_t room = lzma_stream_buffer_bound(b->size), used = 0;
    uint8_t *out = malloc(room);
    if (out == NULL) return FAIL(r, "out of memory for %zu bytes", room);
    lzma_ret packed = lzma_stream_buffer_encode(
        filters, LZMA_CHECK_CRC64, NULL, b->at, b->size, out, &used, room);
    if (packed != LZMA_OK) {
        free(out);
        return FAIL(r, "xz failed with %d", (int)packed);
    }
    *bytes = out;
    *size = used;
    return 0;
}

int trace_encode(const struct trace *t, bool with_times, void **bytes,
                 size_t *size, char *error, size_t error_size) {
    struct report r = {error, error_size};
    trace_totals totals = t->totals;
    if (!with_times) totals.duration_steps = 0;
    struct bytes b = {.room = HEADER_SIZE +
                              trace_count(t) * VARINT_BYTES_MAX * COLUMNS};
    size_t length[COLUMNS];
    b.at = malloc(b.room);
    if (b.at == NULL) return FAIL(r, "out of memory for %zu bytes", b.room);
    memcpy(b.at, magic, MAGIC_SIZE);
    b.size = HEADER_SIZE;
    write_columns(t, with_times, &b, length);
    uint64_t word[WORDS] = {
        [WORD_EVENTS] = totals.events,
        [WORD_BLOCKS] = totals.blocks,
        [WORD_REALLOCS] = totals.reallocs,
        [WORD_FREES] = totals.frees,
        [WORD_CROSS_THREAD_FREES] = totals.cross_thread_frees,
        [WORD_PEAK_LIVE_BYTES] = totals.peak_live_bytes,
        [WORD_PEAK_LIVE_BLOCKS] = totals.peak_live_blocks,
        [WORD_FINAL_LIVE_BYTES] = totals.final_live_bytes,
        [WORD_DURATION] = totals.duration_steps,
        [WORD_THREADS] = totals.threads,
    };
    for (int c = 0; c < COLUMNS; c++)
        word[WORD_COLUMNS + c] = length[c];
    for (size_t i = 0; i < WORDS; i++)
        put_word(b.at + MAGIC_SIZE + 8 * i, word[i]);
    int result = pack(&b, bytes, size, r);
    free(b.at);
    return result;
}

static int write_file(const char *path, const void *bytes, size_t size,
                      struct report r) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return FAIL(r, "%s: %s", path, strerror(errno));
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const uint8_t *)bytes + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int code = errno;
            close(fd);
            return FAIL(r, "%s: %s", path, strerror(code));
        }
        done += (size_t)n;
    }
    if (close(fd) != 0) return FAIL(r, "%s: %s", path, strerror(errno));
    return 0;
}

int trace_save(const struct trace *t, const char *path, char *error,
               size_t error_size) {
    struct report r = {error, error_size};
    void *bytes = NULL;
    size_t size = 0;
    char beside[4096];
    int length = snprintf(beside, sizeof beside, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof beside)
        return FAIL(r, "%s: the name is too long", path);
    if (trace_encode(t, true, &bytes, &size, error, error_size) != 0) return -1;
    int result = write_file(beside, bytes, size, r);
    free(bytes);
    if (result == 0 && rename(beside, path) != 0)
        result = FAIL(r, "%s: %s", path, strerror(errno));
    if (result != 0) unlink(beside);
    return result;
}

/* ---- Looking ------------------------------------------------------------ */

void trace_free(struct trace *t) {
    if (t == NULL) return;
    free(t->events);
    free(t);
}

const trace_event *trace_events(const struct trace *t) {
    return t->events;
}

size_t trace_count(const struct trace *t) {
    return (size_t)t->totals.events;
}

trace_event trace_event_at(const struct trace *t, size_t i) {
    return t->events[i];
}

uint32_t trace_threads(const struct trace *t) {
    return t->totals.threads;
}

uint32_t trace_blocks(const struct trace *t) {
    return (uint32_t)t->totals.blocks;
}

uint64_t trace_peak_live_bytes(const struct trace *t) {
    return t->totals.peak_live_bytes;
}

trace_totals trace_totals_of(const struct trace *t) {
    return t->totals;
}

const char *trace_operation_name(unsigned operation) {
    static const char *const name[TRACE_OPERATIONS] = {
        "alloc", "calloc", "aligned", "realloc", "free"};
    return operation < TRACE_OPERATIONS ? name[operation] : "?";
}
