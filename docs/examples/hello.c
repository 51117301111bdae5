/* A buffer in seven lines: allocate, write, read, release. */

#include <stdio.h>
#include <string.h>

#include "alloc/linn_buf.h"

int main(void) {
    const char *text = "Hello, Netty Memory Pool!";
    linn_buf b = linn_buf_alloc(NULL, 1024);
    if (linn_buf_is_none(b)) return 1;

    linn_buf_write_bytes(b, text, strlen(text));

    char out[64] = "";
    linn_buf_read_bytes(b, out, linn_buf_readable(b));
    puts(out);

    linn_buf_release(b);
    /* A handle is told from every living one: this is an error, and no crash. */
    return linn_buf_release(b) == LINN_BUF_DEAD ? 0 : 1;
}
