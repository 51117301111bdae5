# mutant: SP.F2's loop keeps what it computed before the failure
# file: alloc/subpage.c
# found as: FAILED|not true
/^bool linn_subpage_leave/,/^}/{
s/^    uint64_t next;/    uint64_t next = seen;/
s/^    bool list;/    bool list = step_leave(\&next, count);/
s/^        next = seen;/        ;/
s/^        list = step_leave.*/        ;/
}
