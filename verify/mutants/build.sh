#!/bin/bash
# build.sh CC OUT SCENARIO [MUTANT.sed]: builds a scenario from a copy of the sources,
# with ThreadSanitizer and with random yields (LINN_CHAOS), one line of them changed
# as the sed script says; its comment "# file:" names the file.
set -euo pipefail
cc=$1 out=$PWD/$2 scenario=$3 mutant=${4:-}

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -rL alloc sync verify "$copy/"

if [[ $mutant ]]; then
    file=$(sed -n 's/^# file: //p' "$mutant")
    sed -i -f "$mutant" "$copy/$file"
    changed=$(diff "$file" "$copy/$file" | grep -c '^>' || true)
    ((changed >= 1 && changed <= 3)) || {
        echo "$mutant changes $changed lines of $file" >&2
        exit 1
    }
fi

cd "$copy"
# A yield is over after a few steps of the others; now and then a thread must be away
# for as long as another needs for a whole operation.
sed -i 's/^    if (x >> 60 == 0) {/    if (x >> 55 == 0) (void)usleep(100);\n&/' sync/chaos.c
grep -q usleep sync/chaos.c
arena=(alloc/{arena,check,chunk,misuse,page_map,page_source,page_tree,size_class,subpage}.c)
case $scenario in
tagged_stack_aba) sources=() ;;
last_release_plain | last_release_try_retain) sources=(alloc/check.c) ;;
page_tree_split_unite) sources=(alloc/page_tree.c) ;;
subpage_retirement) sources=(alloc/{subpage,check}.c) ;;
chunk_retirement) sources=(alloc/{chunk,page_tree,page_map,page_source,check}.c) ;;
band_crossing | partial_peek | spare_chunk) sources=("${arena[@]}") ;;
huge_free) sources=("${arena[@]}" alloc/huge.c) ;;
cache_revocation)
    sources=("${arena[@]}" alloc/{buf_descriptor,fast_path,huge,linn,options,pool,pool_core,thread_cache}.c
        sync/{asym,reclaim,thread_registry}.c)
    ;;
*)
    echo "no sources are known for $scenario" >&2
    exit 1
    ;;
esac
"$cc" -std=c11 -D_GNU_SOURCE -mcx16 -O1 -g -fsanitize=thread -DLINN_CHAOS=1 -iquote . \
    -o "$out" "verify/$scenario.c" verify/scenario.c sync/{chaos,count}.c "${sources[@]}" -pthread
