#!/bin/bash
# clang_format_test.sh FLOOR FILE...: every C and C++ file is as .clang-format says.
set -euo pipefail
source build_defs/lint.sh
tool=clang-format-19
need $tool $tool
floor=$1
shift
choose '\.(c|h|cc)$' "$@"
check_complete '\.(c|h|cc)$'

mkdir "$TEST_TMPDIR/bad"
cp -L .clang-format "$TEST_TMPDIR/bad/"
printf 'int  bad( void ) {return 0 ;}\n' >"$TEST_TMPDIR/bad/bad.c"
if $tool --dry-run -Werror "$TEST_TMPDIR/bad/bad.c" 2>"$TEST_TMPDIR/log"; then
    fail "a planted bad file passed"
fi
grep -q clang-format-violations "$TEST_TMPDIR/log" || fail "the planted bad file failed otherwise: $(cat "$TEST_TMPDIR/log")"

status=0
printf '%s\0' "${files[@]}" | xargs -0 $tool --dry-run -Werror --style=file || status=1
echo "${#files[@]} files looked at (floor $floor)"
((${#files[@]} >= floor)) || fail "fewer files than $floor"
((status == 0)) || fail "to mend: $tool -i FILE"
