# mutant: the top is not looked at again
# file: alloc/arena.c
# scenario: partial_peek
# killed by: already free
s/if (!linn_tagged_stack_is_still(stack, &top)) continue;/;/
