#!/bin/sh
# Nothing outside sync/atomic.h spells the compiler's atomics; who may, and why, stands
# in the checker.  A planted one, and an exempt file under another name, are found.
set -eu
check="python3 verify/cards/check_atomics.py --spelling"
$check --files-min 180 alloc build_defs stress sync tla verify

mkdir -p "$TEST_TMPDIR/verify/explore"
cp -L verify/explore/runtime.c "$TEST_TMPDIR/verify/explore/copy.c"
echo 'static _Atomic int n;' >"$TEST_TMPDIR/verify/planted.c"
if $check "$TEST_TMPDIR/verify" >"$TEST_TMPDIR/out"; then
    echo "planted atomics were not found" >&2
    exit 1
fi
for text in "planted.c:1: _Atomic" "copy.c:[0-9]*: __atomic_load_n"; do
    if ! grep -q "$text" "$TEST_TMPDIR/out"; then
        echo "no report says: $text" >&2
        exit 1
    fi
done
tail -1 "$TEST_TMPDIR/out"
