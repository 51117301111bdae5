#!/bin/sh
# locked_names.sh NM LABEL OUT SOURCES [HEADER ...] -- [ARCHIVE ...]
#
# Writes OUT, a header that renames each external symbol linn_x of the archives
# to linn_locked_x and includes the HEADERs, which do so for the dependencies.
# SOURCES is how many sources the module has: with none, no symbol is expected.
set -eu
export LC_ALL=C
nm=$1 label=$2 out=$3 sources=$4
shift 4
guard=LINN_NAMES_$(printf %s "$label" | tr -c 'A-Za-z0-9' _)
{
    echo "/* Made by build_defs/locked_names.sh from $label.  Do not edit. */"
    echo "#ifndef $guard"
    echo "#define $guard"
} >"$out"
while [ "$1" != -- ]; do
    echo "#include \"$1\"" >>"$out"
    shift
done
shift
if [ $# -gt 0 ]; then
    # A name with a dot or a leading underscore is the compiler's own.
    "$nm" -g --defined-only "$@" | awk 'NF == 3 { print $3 }' |
        grep -v -e '^_' -e '[.]' -e '^main$' | sort -u >"$out.symbols" || true
    strangers=$(grep -v '^linn_' "$out.symbols" | tr '\n' ' ' || true)
    if [ -n "$strangers" ]; then
        echo "$label: external symbols must begin with linn_: $strangers" >&2
        exit 1
    fi
    awk '{ print "#define " $1 " linn_locked_" substr($1, 6) }' \
        "$out.symbols" >>"$out"
    rm -f "$out.symbols"
elif [ "$sources" -gt 0 ]; then
    echo "$label: $sources sources, and no archive" >&2
    exit 1
fi
echo "#endif" >>"$out"
