#!/bin/bash
# corpus.sh TARGET SECONDS: fuzzes from verify/fuzz/corpus for so long, and writes a
# corpus that covers the same edges in as few files as the greedy choice finds, and
# the longest of those that cover the same counts.  Run in the tree's root:
#     bazel build //verify/fuzz:target
#     verify/fuzz/corpus.sh bazel-bin/verify/fuzz/target.bin 300
set -euo pipefail
target=$1 seconds=$2 corpus=verify/fuzz/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work"/{all,edges,counts}
cp "$corpus"/* "$work/all"
"$target" -max_total_time="$seconds" -max_len=400 -use_value_profile=1 \
    -artifact_prefix="$work/" "$work/all" 2>&1 | tail -1
"$target" -set_cover_merge=1 -use_counters=0 -max_len=400 "$work"/{edges,all} 2>&1 | tail -1
"$target" -set_cover_merge=1 -max_len=400 "$work"/{counts,all} 2>&1 | tail -1
rm -f "$corpus"/*
n=0
while read -r file; do
    n=$((n + 1))
    cp "$file" "$corpus/$(printf %03d "$n")"
done < <(
    ls -S "$work"/edges/*
    find "$work/counts" -type f -printf '%s %p\n' | sort -rn | head -75 | cut -d' ' -f2
)
echo "$n files"
