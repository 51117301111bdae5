#!/bin/bash
# planted_test.sh [MUTANT.sed PROGRAM ARGUMENTS]...: each program must fail and say
# what its script says ("# found as:", a pattern).
set -euo pipefail
log=$TEST_TMPDIR/log all=0 found=0
while (($# > 0)); do
    script=$1 program=$2 arguments=$3
    shift 3
    want=$(sed -n 's/^# found as: //p' "$script")
    what=$(sed -n 's/^# mutant: //p' "$script")
    all=$((all + 1))
    status=0
    # shellcheck disable=SC2086
    timeout 100 "$program" $arguments >"$log" 2>&1 || status=$?
    if ((status != 0)) && line=$(grep -m1 -E -e "$want" "$log"); then
        found=$((found + 1))
        echo "found      $what: $line"
    else
        echo "NOT FOUND  $what: exit $status, no '$want'"
        tail -20 "$log"
    fi
done
echo "$found of $all planted faults found"
((all > 0 && found == all))
