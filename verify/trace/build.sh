#!/bin/bash
# build.sh CC OUT: builds subpage_world from a copy of the sources in which every
# labelled access of the subpages' protocol is logged.
set -euo pipefail
cc=$1 out=$PWD/$2
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -rL alloc sync verify "$copy/"
cd "$copy"
python3 verify/trace/instrument.py verify/cards SP,TS,PT.F2,CH.F1 \
    alloc/{arena,chunk,page_tree,subpage}.c sync/tagged_stack.h
"$cc" -std=gnu11 -D_GNU_SOURCE -mcx16 -O1 -g -iquote . -o "$out" verify/trace/subpage_world.c \
    alloc/{arena,check,chunk,misuse,page_map,page_source,page_tree,size_class,subpage}.c -pthread
