#!/bin/bash
# fuzz_test.sh TARGET SECONDS CORPUS_FILE...: fuzzes from the corpus for so long; any
# difference between library and model ends it, with the sequence in the log.
set -euo pipefail
target=$1 seconds=$2
shift 2
corpus=$TEST_TMPDIR/corpus
mkdir "$corpus"
cp -L "$@" "$corpus"
cd "$TEST_TMPDIR"
status=0
"$OLDPWD/$target" -max_total_time="$seconds" -max_len=600 -use_value_profile=1 \
    -print_final_stats=1 "$corpus" >log 2>&1 || status=$?
grep -E '^(Done|stat::|FAILED)|ERROR' log || true
for found in crash-* leak-* timeout-*; do
    if [[ -e $found ]]; then echo "$found: $(base64 -w0 "$found")"; fi
done
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' log)
echo "${runs:-0} sequences in $seconds seconds"
((status == 0 && ${runs:-0} >= seconds * 20)) || {
    tail -30 log
    exit 1
}
