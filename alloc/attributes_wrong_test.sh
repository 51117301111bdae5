#!/bin/bash
# Compiles a file of mistakes, and wants each warning that it announces on its line,
# and no other.
#
#   attributes_wrong_test.sh attributes_wrong.c linn.h
set -eu
source=$1 header=$2

if ! command -v gcc >/dev/null; then
    echo "gcc is not installed: apt-get install gcc" >&2
    exit 1
fi
version=$(gcc -dumpversion)
if [ "${version%%.*}" -lt 11 ]; then
    echo "gcc $version does not know which function frees what: 11 or later" >&2
    exit 1
fi

# LINES: "line name" for each warning that there is, and that there should be.
gcc -std=c11 -O2 -Wall -Wextra -Wno-error -I"$(dirname "$header")" \
    -c "$source" -o /dev/null 2>"$TEST_TMPDIR/messages" || {
    cat "$TEST_TMPDIR/messages" >&2
    exit 1
}
sed -n 's/^[^:]*:\([0-9]*\):[0-9]*: warning: .*\[-W\([^]]*\)\]$/\1 \2/p' \
    "$TEST_TMPDIR/messages" | sed 's/=[0-9]*$/=/' | sort -u >"$TEST_TMPDIR/found"
grep -n 'WANT ' "$source" | grep -v '"WANT"' |
    sed 's/^\([0-9]*\):.*WANT \([a-z=-]*\).*/\1 \2/' |
    sort -u >"$TEST_TMPDIR/wanted"
# A level may stand behind the name.
sed -i 's/=$//' "$TEST_TMPDIR/found" "$TEST_TMPDIR/wanted"

if ! diff "$TEST_TMPDIR/wanted" "$TEST_TMPDIR/found"; then
    echo "wanted (<) and found (>), by gcc $version" >&2
    cat "$TEST_TMPDIR/messages" >&2
    exit 1
fi
count=$(wc -l <"$TEST_TMPDIR/wanted")
echo "gcc $version: $count warnings of $(cut -d' ' -f2 "$TEST_TMPDIR/wanted" |
    sort -u | wc -l) kinds, each on its line"
if [ "$count" -lt 13 ]; then
    echo "fewer than 13: the file has lost some" >&2
    exit 1
fi
