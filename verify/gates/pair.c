/* A cached pair, as often as told: what the instruction gate counts.
 *
 *   pair SIZE COUNT      COUNT times linn_alloc and linn_free of SIZE bytes
 *   pair compiler        prints the compiler and its major version */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/linn.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "compiler") == 0) {
#if defined(__clang__)
        printf("clang-%d\n", __clang_major__);
#else
        printf("gcc-%d\n", __GNUC__);
#endif
        return 0;
    }
    if (argc != 3) return 2;
    size_t size = strtoul(argv[1], NULL, 10);
    long count = strtol(argv[2], NULL, 10);
    for (long i = 0; i < count; i++) {
        void *block = linn_alloc(NULL, size);
        if (block == NULL) return 1;
        linn_free(block);
    }
    return 0;
}
