#!/bin/bash
# mutants_test.sh FLOOR SCENARIO_BINARY... -- MUTANT.sed=BINARY...
#
# Each scenario as it stands must be clean; each mutant must be killed the way its
# script says ("# killed by:", a pattern of the report).
set -euo pipefail
floor=$1
shift
# The report is what counts here, and the first one is enough.
export TSAN_OPTIONS=halt_on_error=1:report_thread_leaks=0
rounds=${MUTANT_ROUNDS:-1500} bad=0 killed=0 all=0 controls=0
log=$TEST_TMPDIR/log
run() { timeout 100 "$@" >"$log" 2>&1; }

while (($# > 0)) && [[ $1 != -- ]]; do
    status=0
    run "$1" "$rounds" 2>/dev/null || status=$?
    if ((status != 0)); then
        echo "NOT CLEAN  ${1##*/} as it stands: exit $status"
        head -30 "$log"
        bad=1
    else
        echo "clean      $(sed -n 's/^\(scenario .*\), labels.*/\1/p' "$log")"
    fi
    controls=$((controls + 1))
    shift
done
shift

for pair in "$@"; do
    script=${pair%%=*} binary=${pair#*=}
    want=$(sed -n 's/^# killed by: //p' "$script")
    what=$(sed -n 's/^# mutant: //p' "$script")
    scenario=$(sed -n 's/^# scenario: //p' "$script")
    all=$((all + 1))
    status=0
    run "$binary" $((rounds * 20)) 2>/dev/null || status=$?
    if ((status != 0)) && grep -qE -e "$want" "$log"; then
        killed=$((killed + 1))
        echo "killed     $what: $scenario, '$(grep -m1 -oE -e "$want" "$log" | head -1)'"
    else
        echo "SURVIVES   $what: $scenario, exit $status, no '$want'"
        head -5 "$log"
        bad=1
    fi
done
echo "$killed of $all mutants killed (floor $floor), $controls scenarios clean"
((killed >= floor && killed == all && bad == 0))
