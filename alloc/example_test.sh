#!/bin/sh
# example_test.sh LINN_H LIBRARY
#
# The example in the heading of linn.h, as it stands there: it compiles without a
# warning, links with the shared object, and runs.
set -eu
header=$1 library=$2
if ! command -v gcc >/dev/null; then
    echo "gcc is not installed: apt-get install gcc" >&2
    exit 1
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
{
    echo '#include <stdio.h>'
    echo "#include \"$header\""
    echo 'int main(void) {'
    sed -n '/^ [*]     char error/,/^ [*]     linn_pool_destroy/s/^ [*]     //p' \
        "$header"
    echo '    return 0;'
    echo '}'
} >"$out/example.c"
lines=$(wc -l <"$out/example.c")
if [ "$lines" -lt 10 ]; then
    echo "the example was not found in $header:" >&2
    cat "$out/example.c" >&2
    exit 1
fi
if ! gcc -std=c11 -Wall -Wextra -Werror -iquote . -o "$out/example" \
    "$out/example.c" "$library" -Wl,-rpath,"$PWD/$(dirname "$library")"; then
    cat "$out/example.c" >&2
    exit 1
fi
"$out/example"
echo "$lines lines compiled and run"
