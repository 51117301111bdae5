/* An HTTP response of three parts that were never in one place: a header that was
 * written now, a body that others use too, and memory that is not the pool's; sent by
 * one writev. */

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "alloc/linn_buf.h"

static const char footer[] = "<!-- footer -->\n";

static linn_buf text(const char *s) {
    linn_buf b = linn_buf_alloc(NULL, strlen(s));
    (void)linn_buf_write_bytes(b, s, strlen(s));
    return b;
}

int main(void) {
    linn_buf body = text("<p>Hello, Netty Memory Pool!</p>\n"); /* a cache's */
    linn_buf tail, response, shared;
    /* The memory is a constant: nothing is to be done when the buffer ends, and
     * nobody may write to it. */
    if (linn_buf_wrap((void *)(uintptr_t)footer, strlen(footer), NULL, NULL,
                      &tail) != LINN_BUF_OK) {
        return 1;
    }
    char header[100];
    (void)snprintf(header, sizeof header,
                   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                   linn_buf_readable(body) + linn_buf_readable(tail));

    if (linn_buf_composite(NULL, 16, &response) != LINN_BUF_OK) return 1;
    (void)linn_buf_composite_add(response, true, text(header));
    (void)linn_buf_retained_read_only(body, &shared);
    (void)linn_buf_composite_add(response, true, shared);
    (void)linn_buf_composite_add(response, true, tail);

    struct iovec pieces[8];
    size_t n;
    if (linn_buf_iovec(response, 0, linn_buf_readable(response), pieces, 8,
                       &n) != LINN_BUF_OK) {
        return 1;
    }
    int fd[2];
    if (pipe(fd) != 0) return 1;
    ssize_t sent = writev(fd[1], pieces, (int)n);
    bool good = n == 3 && sent == (ssize_t)linn_buf_readable(response);
    (void)linn_buf_release(response); /* and its parts */

    char out[300] = "";
    if (read(fd[0], out, sizeof out - 1) != sent) return 1;
    (void)fputs(out, stdout);
    good = good && linn_buf_references(body) == 1; /* still the cache's */
    (void)linn_buf_release(body);
    return good && strstr(out, "49\r\n\r\n<p>Hello") != NULL ? 0 : 1;
}
