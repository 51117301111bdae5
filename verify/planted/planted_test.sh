#!/bin/bash
# planted_test.sh FAULTY SOUND REPORT FUNCTION [ARGUMENT]
#
# FAULTY must end badly, with a report that has the text and names the function;
# SOUND must end well and report nothing.
set -euo pipefail
faulty=$1 sound=$2 text=$3 function=$4
shift 4

# gcc's sanitizers name functions by themselves; clang's need a helper, and where
# its own is not installed binutils' will do.
names=external_symbolizer_path=$(command -v addr2line) ||
    { echo "addr2line is not here: apt-get install binutils"; exit 1; }
export TSAN_OPTIONS=$names ASAN_OPTIONS=$names MSAN_OPTIONS=$names
export UBSAN_OPTIONS=$names:print_stacktrace=1

status=0
"$faulty" "$@" >"$TEST_TMPDIR/faulty" 2>&1 || status=$?
sed 's/^/  | /' "$TEST_TMPDIR/faulty" | head -20
((status != 0)) || { echo "the faulty program ended well"; exit 1; }
grep -qF "$text" "$TEST_TMPDIR/faulty" || { echo "no '$text' in its report"; exit 1; }
grep -qE "\b$function\b" "$TEST_TMPDIR/faulty" || { echo "the report does not name $function"; exit 1; }
echo "faulty: exit $status, '$text' in $function"

status=0
"$sound" "$@" >"$TEST_TMPDIR/sound" 2>&1 || status=$?
sed 's/^/  | /' "$TEST_TMPDIR/sound" | head -20
((status == 0)) || { echo "the sound program ended with $status"; exit 1; }
! grep -qE 'Sanitizer|runtime error' "$TEST_TMPDIR/sound" || { echo "a report about the sound program"; exit 1; }
echo "sound: exit 0, no report"
