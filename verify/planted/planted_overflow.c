/* Writes a block full, on the heap or (argument "stack") on the stack.  With
 * PLANTED it writes one byte too many, and AddressSanitizer must name fill. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 100 };

#ifdef PLANTED
enum { EXCESS_BYTES = 1 };
#else
enum { EXCESS_BYTES = 0 };
#endif

/* Not inlined: the report has to name it, and the compiler must not see the
 * size of the block together with the count. */
__attribute__((noinline)) static void fill(char *block, int bytes) {
    for (int i = 0; i < bytes; i++) {
        block[i] = (char)i;
    }
}

int main(int argc, char **argv) {
    const int bytes = BLOCK_BYTES + EXCESS_BYTES;
    if (argc > 1 && strcmp(argv[1], "stack") == 0) {
        char block[BLOCK_BYTES];
        fill(block, bytes);
        printf("%d\n", block[BLOCK_BYTES - 1]);
    } else {
        char *block = malloc(BLOCK_BYTES);
        if (block == NULL) {
            return 2;
        }
        fill(block, bytes);
        printf("%d\n", block[BLOCK_BYTES - 1]);
        free(block);
    }
    return 0;
}
