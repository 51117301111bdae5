#!/bin/bash
# record_test.sh RECORD.PY RECORDER TRACE_TOOL: the command that records, end to
# end, with the one program that every machine here has; and what it says when a
# package is not there.
set -euo pipefail
out=$TEST_TMPDIR/out
mkdir "$out"
/usr/bin/python3 "$1" --recorder "$2" --trace-tool "$3" --out "$out" --only python3
/usr/bin/python3 "$1" --check-story "$out"
"$3" info "$out/python3.trace.xz" >"$TEST_TMPDIR/info"
events=$(awk '$1 == "events" { print $2 }' "$TEST_TMPDIR/info")
threads=$(awk '$1 == "threads" { print $2 }' "$TEST_TMPDIR/info")
lines=$("$3" dump "$out/python3.trace.xz" | wc -l)
echo "$events events, $threads threads, $lines lines"
((events >= 1000000 && threads == 5 && lines == events))

cp -L "$1" "$(dirname "$1")/packages.record" "$TEST_TMPDIR"
echo "no-such-package python3" >>"$TEST_TMPDIR/packages.record"
if /usr/bin/python3 "$TEST_TMPDIR/record.py" --out "$out" --only python3 2>"$TEST_TMPDIR/log"; then
    echo "a missing package passed"
    exit 1
fi
grep -q 'apt-get install .* no-such-package$' "$TEST_TMPDIR/log"

# The tool refuses what it cannot read, in one line.
for what in info dump "convert"; do
    if "$3" "$what" "$TEST_TMPDIR/log" $([[ $what == convert ]] && echo "$out/x.xz") 2>"$TEST_TMPDIR/refusal"; then
        echo "$what took a text file"
        exit 1
    fi
    (($(wc -l <"$TEST_TMPDIR/refusal") == 1))
done
if "$3" 2>"$TEST_TMPDIR/refusal"; then exit 1; fi
grep -q '^usage' "$TEST_TMPDIR/refusal"
