#include "alloc/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* Writes with one writev, so that lines of several threads do not mix; its own
 * decimal, because this module stands on nothing. */
void linn_check_failed(const char *fact, const char *file, int line) {
    char digits[12] = "";
    char *first = digits + sizeof digits - 1;
    unsigned rest = line < 0 ? 0 : (unsigned)line;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);

    const char *text[] = {"linn: ",       file, ":", first,
                          ": not true: ", fact, "\n"};
    enum { PIECES = sizeof text / sizeof text[0] };
    struct iovec pieces[PIECES];
    for (int i = 0; i < PIECES; i++) {
        pieces[i].iov_base = (void *)(size_t)text[i];
        pieces[i].iov_len = strlen(text[i]);
    }
    /* Nobody is left to be told of a failure to tell. */
    ssize_t unheard = writev(2, pieces, PIECES);
    (void)unheard;
    abort();
}
