#!/bin/sh
# The fast path passes, and each planted fault is found.
set -eu
script=$1 fast=$2 planted=$3
python3 "$script" "$fast" linn_alloc linn_free alloc_from free_to
found=0
for pair in planted_loop:loop planted_lock:locked planted_calls:second; do
    if python3 "$script" "$planted" "${pair%%:*}" >"$TEST_TMPDIR/out" 2>&1; then
        echo "${pair%%:*} was not found" >&2
        exit 1
    fi
    grep "^  ${pair##*:}" "$TEST_TMPDIR/out" | head -1
    found=$((found + 1))
done
echo "$found planted faults found"
