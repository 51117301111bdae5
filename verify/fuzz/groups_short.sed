# mutant: a realloc that grows a run of groups in place goes one page too far
# file: alloc/linn.c
# found as: FAILED
s/    if (size <= b.bytes \&\& (size >= b.bytes . 2 ||/    if (size <= b.bytes + (b.kind == KIND_GROUPS ? 8192 : 0) \&\& (size >= b.bytes \/ 2 ||/
