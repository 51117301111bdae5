# mutant: PT.F2's loop writes what it saw before the failure
# file: alloc/page_tree.c
# found as: FAILED|not true
/^bool linn_page_tree_release(/,/^}/{
s/^    do {/    uint64_t was = seen; do {/
s/^\( *\)seen | bits));/\1was | bits));/
}
