/* replay FILE...: the sequences of the files, one after the other, with any
 * compiler; and as many random ones.  Fails where linn_fuzz_sequence does, and
 * where there was less to judge than there must be. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "verify/fuzz/sequence.h"

#define BYTES_MAX 4096

static void random_sequences(int count) {
    uint64_t random = 1;
    for (int i = 0; i < count; i++) {
        uint8_t data[600];
        for (size_t k = 0; k < sizeof data; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            data[k] = (uint8_t)(random >> 33);
        }
        linn_fuzz_sequence(data, sizeof data);
    }
}

int main(int argc, char **argv) {
    int files = 0;
    for (int i = 1; i < argc; i++) {
        static uint8_t data[BYTES_MAX];
        FILE *f = fopen(argv[i], "rb");
        if (f == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t n = fread(data, 1, sizeof data, f);
        fclose(f);
        linn_fuzz_sequence(data, n);
        files++;
    }
    struct linn_fuzz_figures of_files = linn_fuzz_figures;
    random_sequences(files);
    struct linn_fuzz_figures f = linn_fuzz_figures;
    printf(
        "%d files, as many random sequences: %zu calls (%zu of the files), %zu "
        "blocks, %zu misuses told rightly, %zu pools, %zu options refused\n",
        files, f.calls, of_files.calls, f.blocks, f.misuses, f.pools,
        f.refused_options);
    bool enough = files >= 50 && of_files.calls >= 1000 && f.blocks >= 1000 &&
                  of_files.misuses >= 200 && of_files.pools >= 50 &&
                  of_files.refused_options >= 10;
    if (!enough) fprintf(stderr, "FAILED: less than the floor\n");
    return enough ? 0 : 1;
}
