#include "alloc/misuse.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define MESSAGE_BYTES 512

struct linn_misuse_state linn_misuse_state;

/* Text that grows in a buffer of fixed size; what does not fit is counted. */
struct text {
    char *out;
    size_t bytes;
    size_t length;
};

static void put(struct text *t, char c) {
    if (t->length < t->bytes) t->out[t->length] = c;
    t->length++;
}

static void put_string(struct text *t, const char *s) {
    if (s == NULL) s = "(null)";
    while (*s != '\0')
        put(t, *s++);
}

static void put_number(struct text *t, uint64_t n, unsigned base) {
    char digits[20]; /* of UINT64_MAX in decimal */
    int count = 0;
    do {
        digits[count++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    while (count > 0)
        put(t, digits[--count]);
}

static void put_pointer(struct text *t, const void *p) {
    if (p == NULL) {
        put_string(t, "(nil)");
        return;
    }
    put_string(t, "0x");
    put_number(t, (uintptr_t)p, 16);
}

/* Puts what the conversion at *format asks for and steps behind it.  One that
 * is not known is put as it stands: a message with a blemish beats none. */
static void put_conversion(struct text *t, const char **format,
                           va_list *arguments) {
    const char *f = *format; /* behind the % */
    if (f[0] == 's') {
        put_string(t, va_arg(*arguments, const char *));
        *format += 1;
    } else if (f[0] == 'p') {
        put_pointer(t, va_arg(*arguments, const void *));
        *format += 1;
    } else if (f[0] == 'u') {
        put_number(t, va_arg(*arguments, unsigned), 10);
        *format += 1;
    } else if ((f[0] == 'z' || f[0] == 'l') && f[1] == 'u') {
        _Static_assert(sizeof(size_t) == sizeof(long), "%zu is read as %lu");
        put_number(t, va_arg(*arguments, unsigned long), 10);
        *format += 2;
    } else if (f[0] == '%') {
        put(t, '%');
        *format += 1;
    } else {
        put(t, '%');
    }
}

size_t linn_format(char *out, size_t out_bytes, const char *format, ...) {
    struct text t = {out, out_bytes, 0};
    va_list arguments;
    va_start(arguments, format);
    while (*format != '\0') {
        char c = *format++;
        if (c == '%') {
            put_conversion(&t, &format, &arguments);
        } else {
            put(&t, c);
        }
    }
    va_end(arguments);
    if (out_bytes > 0) {
        size_t end = t.length < out_bytes ? t.length : out_bytes - 1;
        out[end] = '\0';
    }
    return t.length;
}

/* A function pointer and a shared word are both 8 bytes, but C has no
 * conversion between them. */
static linn_misuse_handler to_handler(void *word) {
    linn_misuse_handler handler;
    _Static_assert(sizeof handler == sizeof word, "handlers fit a word");
    memcpy(&handler, &word, sizeof handler);
    return handler;
}

static void *to_word(linn_misuse_handler handler) {
    void *word;
    memcpy(&word, &handler, sizeof word);
    return word;
}

linn_misuse_handler linn_set_misuse_handler(linn_misuse_handler handler) {
    /* MU.H1 acq_rel, pairs with MU.H2 and itself: what the handler needs was
     * written before, and who replaces it may take that down. */
    return to_handler(sync_ptr_exchange_acq_rel(&linn_misuse_state.handler,
                                                to_word(handler)));
}

static void print_and_abort(const char *message) {
    struct iovec line[2] = {
        {(void *)(uintptr_t)message, strlen(message)},
        {(void *)(uintptr_t)"\n", 1},
    };
    /* Nobody is left to be told of a failure to tell. */
    ssize_t unheard = writev(2, line, 2);
    (void)unheard;
    abort();
}

void linn_misuse_report(const char *function, const void *pointer,
                        const void *block, size_t block_bytes, const char *what,
                        const char *detail) {
    char about_block[64] = "", in_brackets[256] = "", message[MESSAGE_BYTES];
    if (block != NULL) {
        linn_format(about_block, sizeof about_block, ": block %p of %zu bytes",
                    block, block_bytes);
    }
    if (detail != NULL) {
        linn_format(in_brackets, sizeof in_brackets, " (%s)", detail);
    }
    linn_format(message, sizeof message, "linn: %s(%p): %s%s%s", function,
                pointer, what, about_block, in_brackets);
    /* MU.H2 acquire, pairs with MU.H1: what the handler needs is visible. */
    linn_misuse_handler handler =
        to_handler(sync_ptr_load_acquire(&linn_misuse_state.handler));
    if (handler == NULL) print_and_abort(message);
    struct linn_misuse misuse = {function,    pointer, block,
                                 block_bytes, what,    message};
    handler(&misuse);
}
