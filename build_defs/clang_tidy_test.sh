#!/bin/bash
# clang_tidy_test.sh FLOOR FILE...: clang-tidy finds nothing in any C source, which
# it reads with the flags that .bazelrc gives every C file.
set -euo pipefail
source build_defs/lint.sh
tool=clang-tidy-19
need $tool $tool
floor=$1
shift
choose '\.c$' "$@"
check_complete '\.c$'

flags=$(awk '$1 == "build" { for (i = 2; i <= NF; i++)
    if (sub(/^--(copt|conlyopt)=/, "", $i)) print $i }' .bazelrc)
grep -qx -e -std=c11 <<<"$flags" || fail "no -std=c11 among the flags of .bazelrc: $flags"
mapfile -t flags <<<"$flags"

mkdir "$TEST_TMPDIR/bad"
cp -L .clang-tidy "$TEST_TMPDIR/bad/"
cat >"$TEST_TMPDIR/bad/bad.c" <<'C'
int bad(int n);
int bad(int n) { return n < 4 || n < 4; }
C
if $tool --quiet "$TEST_TMPDIR/bad/bad.c" -- -std=c11 >"$TEST_TMPDIR/log" 2>&1; then
    fail "a planted bad file passed"
fi
grep -q misc-redundant-expression "$TEST_TMPDIR/log" || fail "the planted bad file failed otherwise: $(cat "$TEST_TMPDIR/log")"

# The analyzer gives up a function after so many states; with its own limit the
# largest files take two to four times as long.
limit=(-Xclang -analyzer-config -Xclang max-nodes=10000)
one() {
    local log
    log=$($tool --quiet "${limit[@]/#/--extra-arg=}" "$1" -- "${flags[@]}" -iquote . 2>&1) || {
        grep -v 'warnings.* generated\.$' <<<"$log"
        return 1
    }
}
status=0
for f in "${files[@]}"; do
    # As many at a time as there are processors.
    while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || status=1; done
    one "$f" &
done
while (($(jobs -p | wc -l) > 0)); do wait -n || status=1; done
echo "${#files[@]} files looked at (floor $floor)"
((${#files[@]} >= floor)) || fail "fewer files than $floor"
((status == 0))
