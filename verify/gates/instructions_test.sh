#!/bin/sh
# The gate; and the same figures judged by a baseline 5 % lower, which must fail.
set -eu
script=$1 pair=$2 bare=$3 baseline=$4
python3 "$script" "$pair" "$bare" "$baseline" --save "$TEST_TMPDIR/found"
python3 - "$TEST_TMPDIR/found" "$("$pair" compiler)" >"$TEST_TMPDIR/lower" <<'PY'
import json, sys
found = json.load(open(sys.argv[1]))
print(json.dumps({sys.argv[2]: {k: n / 1.05 for k, n in found.items()}}))
PY
if python3 "$script" "$pair" "$bare" "$TEST_TMPDIR/lower" \
    --from "$TEST_TMPDIR/found" >"$TEST_TMPDIR/out" 2>&1; then
    echo "the gate lets a growth of 5 % pass" >&2
    exit 1
fi
echo "a growth of 5 % is seen: $(grep -c before "$TEST_TMPDIR/out") figures"
