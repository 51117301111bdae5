# mutant: a realloc that moves forgets the last byte
# file: alloc/linn.c
# found as: FAILED: realloc keeps the contents
s/^    memcpy(moved, block, size < b.bytes ? size : b.bytes);/    memcpy(moved, block, (size < b.bytes ? size : b.bytes) - 1 + (size == 0));/
