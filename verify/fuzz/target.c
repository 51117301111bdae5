/* The sequences as a libFuzzer target; see sequence.h. */

#include "verify/fuzz/sequence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    linn_fuzz_sequence(data, bytes);
    return 0;
}
