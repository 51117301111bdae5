# mutant: PT.F1 release -> relaxed
# file: alloc/page_tree.c
# scenario: page_tree_split_unite
# killed by: ThreadSanitizer: data race
s/sync_guarded_u64_cas_release_relaxed(&tree->root/sync_u64_cas_relaxed_relaxed(\&tree->root/
