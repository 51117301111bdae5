#include "alloc/options.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/misuse.h"
#include "alloc/page_source.h"

#define ARENAS_MAX    64
#define TEXT_BYTES    48 /* of a variable; longer ones are no numbers */
#define MESSAGE_BYTES 256
#define BY_CORES      0 /* the default is computed */

/* One row a field.  page_size comes before alignment, which it limits. */
struct option {
    const char *name;
    size_t offset;
    const char *variable;
    size_t fallback, min, max;
    bool power_of_two;
    const char *const *words; /* what a variable may hold instead of digits */
    const char *note;         /* behind the allowed range */
};

#define FIELD(field) #field, offsetof(struct linn_options, field)

static const char *const class_words[] = {"fine", "power-of-two", NULL};

static const struct option options[] = {
    {FIELD(arenas), "LINN_ARENAS", BY_CORES, 0, ARENAS_MAX, false, NULL, ""},
    {FIELD(page_size), "LINN_PAGE_SIZE", 8192, 4096, 65536, true, NULL, ""},
    {FIELD(chunk_order), "LINN_CHUNK_ORDER", 11, 0, 11, false, NULL,
     " (a page tree holds 2048 pages, so Netty's 12 to 14 are not supported)"},
    {FIELD(small_cache), "LINN_SMALL_CACHE", 256, 0, 4096, false, NULL, ""},
    {FIELD(normal_cache), "LINN_NORMAL_CACHE", 64, 0, 4096, false, NULL, ""},
    {FIELD(cached_max), "LINN_CACHED_MAX", 131072, 0, 524288, false, NULL, ""},
    {FIELD(cache_bytes), "LINN_CACHE_BYTES", 524288, 0, 1 << 30, false, NULL,
     ""},
    {FIELD(cache_sweep), "LINN_CACHE_SWEEP", 8192, 1, UINT32_MAX, false, NULL,
     ""},
    {FIELD(cache), "LINN_CACHE", 1, 0, 1, false, NULL, ""},
    {FIELD(alignment), "LINN_ALIGNMENT", 16, 16, 65536, true, NULL,
     " (page_size)"},
    {FIELD(size_classes), "LINN_CLASSES", LINN_CLASSES_FINE, LINN_CLASSES_FINE,
     LINN_CLASSES_POWER_OF_TWO, false, class_words, " (fine or power-of-two)"},
};
enum { ROWS = sizeof options / sizeof options[0] };

struct environment {
    char text[ROWS][TEXT_BYTES];
    bool is_set[ROWS];
    char lock[TEXT_BYTES];
    struct linn_switches switches;
};
#define ENVIRONMENT_BYTES 4096 /* an OS page */
_Static_assert(sizeof(struct environment) <= ENVIRONMENT_BYTES,
               "the environment fits its page");

struct linn_options_state linn_options_state;

static const struct environment no_environment;

static size_t value_of(const struct linn_options *o, const struct option *row) {
    size_t value;
    memcpy(&value, (const char *)o + row->offset, sizeof value);
    return value;
}

static void set_value(struct linn_options *o, const struct option *row,
                      size_t value) {
    memcpy((char *)o + row->offset, &value, sizeof value);
}

/* Copies a variable; one that is too long keeps dots that make it no number. */
static bool copy_variable(char *text, const char *variable) {
    const char *value = getenv(variable);
    if (value == NULL) return false;
    if (linn_format(text, TEXT_BYTES, "%s", value) >= TEXT_BYTES) {
        memcpy(text + TEXT_BYTES - 4, "...", 4);
    }
    return true;
}

static void read_environment(struct environment *e) {
    for (int i = 0; i < ROWS; i++) {
        e->is_set[i] = copy_variable(e->text[i], options[i].variable);
    }
    if (copy_variable(e->lock, "LINN_LOCK")) e->switches.lock = e->lock;
    char show[TEXT_BYTES];
    e->switches.show_options = copy_variable(show, "LINN_SHOW_OPTIONS") &&
                               show[0] != '\0' && strcmp(show, "0") != 0;
}

/* The copy that was made first.  Without a page for it there will be none for a
 * pool either, and the defaults do. */
static const struct environment *environment(void) {
    /* OP.E2 acquire, pairs with OP.E1: the copy is complete. */
    void *seen = sync_ptr_load_acquire(&linn_options_state.environment);
    if (seen != NULL) return seen;
    struct environment *mine = linn_page_source_reserve(ENVIRONMENT_BYTES);
    if (mine == NULL) return &no_environment;
    read_environment(mine);
    /* OP.E1 acq_rel, pairs with OP.E2: all threads use one copy. */
    if (sync_ptr_cas_acq_rel_acquire(&linn_options_state.environment, &seen,
                                     mine)) {
        return mine;
    }
    linn_page_source_unmap(mine, ENVIRONMENT_BYTES);
    return seen;
}

void linn_options_forget_environment(void) {
    /* OP.E3 acq_rel: no other call runs. */
    void *was =
        sync_ptr_exchange_acq_rel(&linn_options_state.environment, NULL);
    if (was != NULL) linn_page_source_unmap(was, ENVIRONMENT_BYTES);
}

const struct linn_switches *linn_switches_get(void) {
    return &environment()->switches;
}

/* Digits, then perhaps k or m.  False: no number, or beyond size_t. */
static bool parse_number(const char *text, size_t *value) {
    const char *at = text;
    size_t n = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(n, (size_t)10, &n)) return false;
        if (__builtin_add_overflow(n, (size_t)(*at - '0'), &n)) return false;
    }
    if (at == text) return false;
    size_t unit = 1;
    if (*at == 'k' || *at == 'K') unit = 1 << 10;
    if (*at == 'm' || *at == 'M') unit = 1 << 20;
    if (unit > 1) at++;
    return *at == '\0' && !__builtin_mul_overflow(n, unit, value);
}

static bool parse_word(const char *const *words, const char *text,
                       size_t *value) {
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool parse(const struct option *row, const char *text, size_t *value) {
    if (row->words != NULL) return parse_word(row->words, text, value);
    return parse_number(text, value);
}

/* The cores that this process may use. */
static size_t cores(void) {
    cpu_set_t set;
    int saved = errno;
    long n = sched_getaffinity(0, sizeof set, &set) == 0
                 ? CPU_COUNT(&set)
                 : sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024 */
    errno = saved;
    return n < 1 ? 1 : (size_t)n;
}

static size_t default_of(const struct option *row) {
    if (row->offset != offsetof(struct linn_options, arenas)) {
        return row->fallback;
    }
    size_t arenas = 2 * cores();
    return arenas < ARENAS_MAX ? arenas : ARENAS_MAX;
}

/* The largest value of a row, given the rows before it. */
static size_t max_of(const struct option *row, const struct linn_options *out) {
    bool limited = row->offset == offsetof(struct linn_options, alignment);
    return limited ? out->page_size : row->max;
}

static bool is_allowed(const struct option *row, size_t value,
                       const struct linn_options *out) {
    if (value < row->min || value > max_of(row, out)) return false;
    return !row->power_of_two || (value & (value - 1)) == 0;
}

/* "NAME = VALUE: must be ..." */
static void explain(char *error, size_t error_size, const struct option *row,
                    const char *name, const char *value,
                    const struct linn_options *out) {
    linn_format(error, error_size, "%s = %s: must be %s%zu to %zu%s", name,
                value[0] == '\0' ? "(empty)" : value,
                row->power_of_two ? "a power of two from " : "", row->min,
                max_of(row, out), row->note);
}

/* A row's value without the caller.  False, with a message and the default:
 * the variable is no allowed value. */
static bool resolve_variable(int index, struct linn_options *out, char *error,
                             size_t error_size) {
    const struct option *row = &options[index];
    const struct environment *e = environment();
    size_t value;
    bool good = true;
    if (e->is_set[index]) {
        const char *text = e->text[index];
        good = parse(row, text, &value) && is_allowed(row, value, out);
        if (!good) explain(error, error_size, row, row->variable, text, out);
    }
    if (!e->is_set[index] || !good) value = default_of(row);
    set_value(out, row, value);
    return good;
}

bool linn_options_resolve(const struct linn_options *in,
                          struct linn_options *out, char *error,
                          size_t error_size) {
    if (in != NULL && in->size != sizeof *in) {
        linn_format(error, error_size,
                    "size = %zu: must be %zu (start from LINN_OPTIONS_INIT)",
                    in->size, sizeof *in);
        return false;
    }
    out->size = sizeof *out;
    for (int i = 0; i < ROWS; i++) {
        const struct option *row = &options[i];
        size_t value = in == NULL ? LINN_DEFAULT : value_of(in, row);
        if (value == LINN_DEFAULT) {
            if (!resolve_variable(i, out, error, error_size)) return false;
            continue;
        }
        if (!is_allowed(row, value, out)) {
            char text[TEXT_BYTES];
            linn_format(text, sizeof text, "%zu", value);
            explain(error, error_size, row, row->name, text, out);
            return false;
        }
        set_value(out, row, value);
    }
    return true;
}

/* Writes all of it; an interrupted or failing write has nobody to tell. */
static void write_text(int fd, const char *text, size_t bytes) {
    int saved = errno;
    while (bytes > 0) {
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        text += n;
        bytes -= (size_t)n;
    }
    errno = saved;
}

void linn_options_resolve_default(struct linn_options *out) {
    /* OP.R1 relaxed: one caller prints, and nothing hangs on which. */
    bool quiet =
        (sync_u32_fetch_or_relaxed(&linn_options_state.reported, 1) & 1) != 0;
    out->size = sizeof *out;
    for (int i = 0; i < ROWS; i++) {
        char error[MESSAGE_BYTES];
        if (resolve_variable(i, out, error, sizeof error) || quiet) continue;
        char line[MESSAGE_BYTES + 64];
        linn_format(line, sizeof line, "linn: %s; the default is used\n",
                    error);
        write_text(STDERR_FILENO, line, strlen(line));
    }
}

void linn_options_reject_lock(const char *names) {
    /* OP.R1 relaxed: as above. */
    if (sync_u32_fetch_or_relaxed(&linn_options_state.reported, 2) & 2) return;
    const char *lock = environment()->lock;
    char line[MESSAGE_BYTES];
    linn_format(
        line, sizeof line,
        "linn: LINN_LOCK = %s: must be one of %s; the default is used\n",
        lock[0] == '\0' ? "(empty)" : lock, names);
    write_text(STDERR_FILENO, line, strlen(line));
}

void linn_options_show_lock(int fd, const char *lock) {
    bool from_variable = strcmp(environment()->lock, lock) == 0;
    char line[MESSAGE_BYTES];
    linn_format(line, sizeof line, "linn:   lock = %s (%s, LINN_LOCK)\n", lock,
                from_variable ? "environment" : "default");
    write_text(fd, line, strlen(line));
}

static const char *origin_of(int index, const struct linn_options *in,
                             const struct linn_options *out) {
    const struct option *row = &options[index];
    if (in != NULL && value_of(in, row) != LINN_DEFAULT) return "caller";
    const struct environment *e = environment();
    size_t value;
    bool from_variable = e->is_set[index] &&
                         parse(row, e->text[index], &value) &&
                         value == value_of(out, row);
    return from_variable ? "environment" : "default";
}

void linn_options_show(int fd, const char *title, const struct linn_options *in,
                       const struct linn_options *out) {
    char text[2048]; /* half for the title, 11 rows of at most 80 bytes */
    size_t used = linn_format(text, sizeof text / 2, "linn: %s\n", title);
    if (used >= sizeof text / 2) used = sizeof text / 2 - 1;
    for (int i = 0; i < ROWS; i++) {
        const struct option *row = &options[i];
        size_t value = value_of(out, row);
        char number[TEXT_BYTES];
        linn_format(number, sizeof number, "%zu", value);
        const char *shown = row->words == NULL ? number : row->words[value];
        used += linn_format(text + used, sizeof text - used,
                            "linn:   %s = %s (%s, %s)\n", row->name, shown,
                            origin_of(i, in, out), row->variable);
    }
    write_text(fd, text, used);
}
