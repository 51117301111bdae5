#!/bin/bash
# build.sh CC WORLD OUT: builds WORLD (subpage or bands) from a copy of the sources
# in which every labelled access of its protocol is logged.
set -euo pipefail
cc=$1 world=$2 out=$PWD/$3
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -rL alloc sync verify "$copy/"
cd "$copy"
case $world in
subpage)
    labels=SP,TS,PT.F2,CH.F1
    files=(alloc/{arena,chunk,page_tree,subpage}.c sync/tagged_stack.h)
    ;;
bands)
    labels=AR,CH,CS.C1,TS.O1,TS.P1
    files=(alloc/{arena,chunk}.c alloc/chunk.h sync/tagged_stack.h)
    ;;
esac
python3 verify/trace/instrument.py verify/cards "$labels" "${files[@]}"
"$cc" -std=gnu11 -D_GNU_SOURCE -mcx16 -O1 -g -iquote . -o "$out" "verify/trace/${world}_world.c" \
    alloc/{arena,check,chunk,misuse,page_map,page_source,page_tree,size_class,subpage}.c -pthread
