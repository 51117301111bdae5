/* A pair of calls, as often as told: what buf_instructions_test counts.
 *
 *   buf_pair raw|buf|number COUNT */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/linn_buf.h"

static int raw(long count) {
    for (long i = 0; i < count; i++) {
        void *block = linn_alloc(NULL, 256);
        if (block == NULL) return 1;
        linn_free(block);
    }
    return 0;
}

static int buf(long count) {
    for (long i = 0; i < count; i++) {
        linn_buf b = linn_buf_alloc(NULL, 256);
        if (linn_buf_release(b) != LINN_BUF_OK) return 1;
    }
    return 0;
}

static int number(long count) {
    linn_buf b = linn_buf_alloc(NULL, 256);
    uint32_t sum = 0;
    for (long i = 0; i < count; i++) {
        uint32_t u = 0;
        if (linn_buf_set_u32(b, 5, (uint32_t)i) != LINN_BUF_OK) return 1;
        if (linn_buf_get_u32(b, 5, &u) != LINN_BUF_OK) return 1;
        sum += u;
    }
    if (sum == 1) puts("");
    return linn_buf_release(b) == LINN_BUF_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    long count = strtol(argv[2], NULL, 10);
    if (strcmp(argv[1], "raw") == 0) return raw(count);
    if (strcmp(argv[1], "buf") == 0) return buf(count);
    if (strcmp(argv[1], "number") == 0) return number(count);
    return 2;
}
