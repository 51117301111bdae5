# mutant: PT.U2 acquire -> relaxed
# file: alloc/page_tree.c
# scenario: page_tree_split_unite
# killed by: ThreadSanitizer: data race
s/sync_guarded_u64_cas_acquire_relaxed(&tree->leaf\[g\], &seen, 0/sync_u64_cas_relaxed_relaxed(\&tree->leaf[g], \&seen, 0/
