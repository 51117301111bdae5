#!/bin/bash
# planted_fuzz_test.sh RUNS [MUTANT.sed TARGET]...: from nothing, within so many runs,
# libFuzzer must come upon what the script has broken ("# found as:", a pattern).
set -euo pipefail
runs=$1 all=0 found=0
shift
root=$PWD
cd "$TEST_TMPDIR"
while (($# > 0)); do
    want=$(sed -n 's/^# found as: //p' "$root/$1")
    what=$(sed -n 's/^# mutant: //p' "$root/$1")
    all=$((all + 1))
    status=0
    "$root/$2" -runs="$runs" -max_len=400 -seed=1 >log 2>&1 || status=$?
    at=$(grep -oE '^#[0-9]+' log | tail -1)
    if ((status != 0)) && line=$(grep -m1 -E -e "$want" log); then
        found=$((found + 1))
        echo "found      $what: after run ${at:-#0}, $line"
    else
        echo "NOT FOUND  $what in $runs runs: exit $status"
        tail -5 log
    fi
    shift 2
done
echo "$found of $all planted faults found"
((all > 0 && found == all))
