/* Decides by one byte of a fresh block.  With PLANTED nobody wrote it, and
 * MemorySanitizer must name decide. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 };

__attribute__((noinline)) static int decide(const char *block) {
    return block[BLOCK_BYTES / 2] == 7 ? 1 : 0;
}

int main(void) {
    char *block = malloc(BLOCK_BYTES);
    if (block == NULL) {
        return 2;
    }
#ifndef PLANTED
    memset(block, 0, BLOCK_BYTES);
#endif
    printf("%d\n", decide(block));
    free(block);
    return 0;
}
