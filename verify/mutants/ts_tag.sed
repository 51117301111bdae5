# mutant: neither a push nor a removal changes the tag
# file: sync/tagged_stack.h
# scenario: tagged_stack_aba
# killed by: data race|not true
s/next.high = seen.high + 1;/next.high = seen.high;/
