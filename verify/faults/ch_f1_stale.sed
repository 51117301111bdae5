# mutant: CH.F1's loop keeps what it computed before the failure
# file: alloc/chunk.c
# found as: FAILED|not true
/^struct linn_crossing linn_chunk_return/,/^}/{
s/^    uint64_t next;/    uint64_t next = seen; LINN_CHECK(linn_guard_step_return(bands, \&next, pages));/
s/^        next = seen;/        ;/
s/^        LINN_CHECK(linn_guard_step_return.*/        ;/
}
