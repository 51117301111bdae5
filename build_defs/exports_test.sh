#!/bin/bash
# exports_test.sh OBJECT SCRIPT NAMES: the shared object exports what its version script
# says, no more and no less; its soname is its file name; of other libraries it needs
# the C library's alone.
set -euo pipefail
export LC_ALL=C
object=$1 script=$2 names=$3
command -v readelf >/dev/null || { echo "readelf is not here: apt-get install binutils"; exit 1; }

"$names" "$script" >"$TEST_TMPDIR/want"
# The version itself is a symbol too, of type A; gold also lists local thread-locals,
# which -g leaves out.
nm -D -g --defined-only "$object" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    sort >"$TEST_TMPDIR/have"
diff "$TEST_TMPDIR/want" "$TEST_TMPDIR/have" || { echo "< promised, > exported"; exit 1; }

dynamic=$(readelf -dW "$object")
soname=$(sed -n 's/.*Library soname: \[\(.*\)\]/\1/p' <<<"$dynamic")
[[ $soname == "$(basename "$object")" ]] || { echo "soname is '$soname'"; exit 1; }
needed=$(sed -n 's/.*Shared library: \[\(.*\)\]/\1/p' <<<"$dynamic")
strangers=$(grep -vE '^(libc|libpthread|ld-linux[^.]*)\.so' <<<"$needed" || true)
[[ -z $strangers ]] || { echo "it needs $strangers"; exit 1; }
echo "$(wc -l <"$TEST_TMPDIR/have") symbols exported, as promised; soname $soname; needs" $needed
