/* A forwarder between two sockets that copies nothing: what one read brought is cut
 * into lines, and each line goes out as a slice of the bytes where they came in. */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc/linn_buf.h"

/* Sends all of `b`, of which a call may take a part; consumes the reference. */
static bool send_all(int fd, linn_buf b) {
    linn_buf_status status = LINN_BUF_OK;
    while (status == LINN_BUF_OK && linn_buf_is_readable(b, 1)) {
        size_t done;
        status = linn_buf_read_to_socket(b, fd, linn_buf_readable(b), 0, &done);
    }
    (void)linn_buf_release(b);
    return status == LINN_BUF_OK;
}

/* Forwards the lines that begin with `wanted`, until the peer closes. */
static bool forward(int from, int to, char wanted) {
    linn_buf in = linn_buf_alloc(NULL, 4096);
    if (linn_buf_is_none(in)) return false;
    bool good = true;
    size_t done;
    while (good &&
           linn_buf_write_from_socket(in, from, 512, 0, &done) == LINN_BUF_OK) {
        size_t before;
        while (good &&
               linn_buf_bytes_before(in, '\n', &before) == LINN_BUF_OK) {
            linn_buf line;
            good = linn_buf_read_retained_slice(in, before + 1, &line) ==
                   LINN_BUF_OK;
            if (!good) break;
            uint8_t first = 0;
            (void)linn_buf_get_u8(line, 0, &first);
            if (first == (uint8_t)wanted) {
                good = send_all(to, line);
            } else {
                (void)linn_buf_release(line);
            }
        }
        (void)linn_buf_discard_some_read(in);
    }
    (void)linn_buf_release(in);
    return good;
}

int main(void) {
    int client[2], server[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, client) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, server) != 0) {
        return 1;
    }
    static const char lines[] = "+one\n-two\n+three\n+four\n-five\n";
    if (write(client[0], lines, strlen(lines)) != (ssize_t)strlen(lines)) {
        return 1;
    }
    (void)shutdown(client[0], SHUT_WR);
    if (!forward(client[1], server[0], '+')) return 1;
    (void)shutdown(server[0], SHUT_WR);

    char out[100] = "";
    ssize_t n = read(server[1], out, sizeof out - 1);
    if (n < 0) return 1;
    (void)fputs(out, stdout);

    struct linn_counters c;
    c.size = sizeof c;
    bool clean = linn_pool_counters(NULL, &c) && c.live_blocks == 0;
    return clean && strcmp(out, "+one\n+three\n+four\n") == 0 ? 0 : 1;
}
