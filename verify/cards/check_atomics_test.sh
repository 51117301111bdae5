#!/bin/sh
# The cards of alloc/, sync/ and stress/ and the code tell one story; and each planted
# fault in a copy is reported with its file and line.
set -eu
script=$1
python3 "$script" --labels-min 200 --sites-min 320 alloc sync stress

copy=$TEST_TMPDIR/copy
found=0
planted() { # NAME FILE SED-SCRIPT TEXT-OF-THE-REPORT [FILE-OF-THE-REPORT]
    rm -rf "$copy"
    mkdir "$copy"
    cp -RL alloc sync "$copy"
    mkdir "$copy/stress"
    for f in stress/*.[ch] stress/trace; do
        cp -RL "$f" "$copy/stress"
    done
    chmod -R u+w "$copy"
    sed -i "$3" "$copy/$2"
    if cmp -s "$2" "$copy/$2"; then
        echo "planted $1: nothing was changed in $2" >&2
        exit 1
    fi
    if python3 "$script" "$copy/alloc" "$copy/sync" "$copy/stress" >"$TEST_TMPDIR/out" 2>&1; then
        echo "planted $1 was not found" >&2
        exit 1
    fi
    where=${5:-$2}
    if ! grep -Eq "^$copy/$where:[0-9]+: .*$4" "$TEST_TMPDIR/out"; then
        echo "planted $1: no report of $where and a line says '$4':" >&2
        head -5 "$TEST_TMPDIR/out" >&2
        exit 1
    fi
    grep "$4" "$TEST_TMPDIR/out" | head -1 | sed "s,$copy/,$1: ,"
    found=$((found + 1))
}

planted "one order weakened" alloc/subpage.c \
    's/cas_release_relaxed(/cas_relaxed_relaxed(/' 'SP.F1'
planted "one label deleted" alloc/chunk.c 's/CH\.R1 acq_rel/acq_rel/' 'CH.R1' \
    alloc/chunk.h
planted "one pair removed" alloc/page_tree.h \
    's/pairs PT.C2 PT.U2/pairs PT.U2/' 'PT.C2'
planted "one call without a label" alloc/huge.c \
    '$a void linn_x(sync_u64 *w);\nvoid linn_x(sync_u64 *w) {\n\n\n\n\n\n    sync_u64_store_relaxed(w, 1);\n}' \
    'label'
planted "one card without a site" alloc/subpage.h \
    's/^     \*   SP.P1 note .*/&\n     *   SP.X9 gone   load   relaxed  nobody does this/' \
    'SP.X9'
planted "one label of another module used twice" stress/trace/raw.h \
    's/ RE\.W1 write/ RC.G1 write/' 'RC.G1 has a card at' sync/reclaim.h
planted "one builtin" alloc/chunk.c \
    '$a long linn_x(long *w);\nlong linn_x(long *w) {\n    return __sync_fetch_and_add(w, 1);\n}' \
    '__sync_fetch_and_add: sync/atomic.h alone spells atomics'
planted "one header of C11" stress/lane.c '1i #include <stdatomic.h>' \
    'stdatomic: sync/atomic.h alone spells atomics'
planted "one builtin in a test" sync/reclaim_test.cc \
    '$a long linn_x(long *w) { return __atomic_load_n(w, __ATOMIC_RELAXED); }' \
    '__atomic_load_n: sync/atomic.h alone'
echo "$found planted faults found"
