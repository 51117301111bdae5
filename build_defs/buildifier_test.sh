#!/bin/bash
# buildifier_test.sh FLOOR BUILDIFIER FILE...: build files are in shape and lint-free.
set -euo pipefail
source build_defs/lint.sh
floor=$1 tool=$PWD/$2
shift 2
[[ $tool != */missing.txt ]] || fail "$(cat "$tool")"
pattern='(/BUILD|/WORKSPACE|/MODULE\.bazel|\.bzl)$'
choose "$pattern" "$@"
check_complete "$pattern"

mkdir "$TEST_TMPDIR/bad"
printf 'filegroup( name="x",srcs = ["b","a"] )\n' >"$TEST_TMPDIR/bad/BUILD"
if "$tool" -mode=check "$TEST_TMPDIR/bad/BUILD" 2>/dev/null >&2; then fail "a planted bad file passed as formatted"; fi
printf 'cc_library(\n    name = "x",\n)\n' >"$TEST_TMPDIR/bad/BUILD"
if "$tool" -mode=check -lint=warn "$TEST_TMPDIR/bad/BUILD" >"$TEST_TMPDIR/log" 2>&1; then
    fail "a planted file without its load passed the lint"
fi
grep -q native-cc "$TEST_TMPDIR/log" || fail "the planted file failed otherwise: $(cat "$TEST_TMPDIR/log")"

status=0
"$tool" -mode=check -lint=warn "${files[@]}" || status=1
echo "${#files[@]} files looked at (floor $floor)"
((${#files[@]} >= floor)) || fail "fewer files than $floor"
((status == 0)) || fail "to mend: buildifier -lint=fix FILE"
