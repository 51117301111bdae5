# mutant: PT.S1 release -> relaxed
# file: alloc/page_tree.c
# scenario: page_tree_split_unite
# killed by: ThreadSanitizer: data race
s/sync_guarded_u64_fetch_or_release(&tree->leaf/(void)sync_u64_fetch_or_relaxed(\&tree->leaf/
