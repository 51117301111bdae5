# mutant: PT.F2 release -> relaxed
# file: alloc/page_tree.c
# scenario: page_tree_split_unite
# killed by: ThreadSanitizer: data race
s/sync_guarded_u64_cas_release_relaxed(&tree->leaf/sync_u64_cas_relaxed_relaxed(\&tree->leaf/
