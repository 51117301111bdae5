#!/bin/bash
# library.sh CC OUT MUTANT.sed FLAGS FILE...: a program of FILEs and of a copy of the
# whole library, one line of it changed as the sed script says; its comment "# file:"
# names the file.  An empty name of a MUTANT changes nothing.  FILEs that are no .c are
# there to be included.
set -euo pipefail
cc=$1 out=$PWD/$2 mutant=$3 flags=$4
shift 4

command -v "$cc" >/dev/null || {
    echo "$cc is not here: apt-get install $cc libclang-rt-19-dev" >&2
    exit 1
}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -rL alloc sync verify "$copy/"
for file in "$@"; do # generated ones lie elsewhere
    if [[ $file != verify/* ]]; then cp -L "$file" "$copy/"; fi
done

if [[ $mutant ]]; then
    file=$(sed -n 's/^# file: //p' "$mutant")
    sed -i -f "$mutant" "$copy/$file"
    changed=$(diff "$file" "$copy/$file" | grep -c '^>' || true)
    ((changed >= 1 && changed <= 4)) || {
        echo "$mutant changes $changed lines of $file" >&2
        exit 1
    }
fi

files=()
for file in "$@"; do
    if [[ $file != *.c ]]; then continue; fi
    if [[ $file == verify/* ]]; then files+=("$file"); else files+=("${file##*/}"); fi
done
cd "$copy"
# A yield is over after a few steps of the others; now and then a thread must be away
# for as long as another needs for a whole operation.
sed -i 's/^    if (x >> 60 == 0) {/    if (x >> 55 == 0) (void)usleep(100);\n&/' sync/chaos.c
grep -q usleep sync/chaos.c
# shellcheck disable=SC2086
"$cc" -std=c11 -D_GNU_SOURCE -mcx16 -O1 -g $flags -iquote . -o "$out" "${files[@]}" \
    alloc/{arena,buf_descriptor,check,chunk,fast_path,huge,linn,misuse,options,page_map,page_source,page_tree,pool,pool_core,size_class,subpage,thread_cache}.c \
    sync/{asym,chaos,count,reclaim,thread_registry}.c -pthread
