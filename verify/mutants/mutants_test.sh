#!/bin/bash
# mutants_test.sh FLOOR SCENARIO_BINARY... -- MUTANT.sed=BINARY...
#
# Each scenario as it stands must be clean; each mutant must be killed the way its
# script says ("# killed by:", a text of the report).
set -euo pipefail
floor=$1
shift
# The report is what counts here, and the first one is enough.
export TSAN_OPTIONS=halt_on_error=1:report_thread_leaks=0
rounds=${MUTANT_ROUNDS:-6000} bad=0 killed=0 all=0 controls=0
log=$TEST_TMPDIR/log

while (($# > 0)) && [[ $1 != -- ]]; do
    status=0
    timeout 100 "$1" "$rounds" >"$log" 2>&1 || status=$?
    if ((status != 0)); then
        echo "NOT CLEAN  ${1##*/} as it stands: exit $status"
        head -30 "$log"
        bad=1
    else
        echo "clean      $(head -1 "$log" | sed 's/, labels.*//')"
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
    timeout 100 "$binary" $((rounds * 5)) >"$log" 2>&1 || status=$?
    if ((status != 0)) && grep -qF -e "$want" "$log"; then
        killed=$((killed + 1))
        echo "killed     $what: $scenario says '$want'"
    else
        echo "SURVIVES   $what: $scenario, exit $status, no '$want'"
        head -5 "$log"
        bad=1
    fi
done
echo "$killed of $all mutants killed (floor $floor), $controls scenarios clean"
((killed >= floor && killed == all && bad == 0))
