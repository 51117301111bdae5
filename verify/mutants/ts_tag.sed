# mutant: a removal leaves the tag as it was
# file: sync/tagged_stack.h
# scenario: tagged_stack_aba
# killed by: ThreadSanitizer: data race
/linn_tagged_stack_pop(/,/^}/s/next.high = seen.high + 1;/next.high = seen.high;/
