#!/bin/bash
# twin_symbols_test.sh FLOOR ARCHIVE...: reads the symbols of the locked twin.
#
# Each external symbol it defines begins with linn_locked_, and no reference goes
# to a linn_ name of the lock-free library.  The same reading of a planted stranger
# and of a planted reference must fail, or this test shows nothing.
set -euo pipefail
export LC_ALL=C
floor=$1
shift

# Prints the faults of the archives; sets `defined` and `undefined`.
read_symbols() {
    local name
    defined=0 undefined=0
    # A leading underscore or a dot is the compiler's, but for the mark that the
    # address sanitizer puts beside a global of ours.
    while read -r name; do
        name=${name#__odr_asan.}
        [[ $name != _* && $name != *.* ]] || continue
        defined=$((defined + 1))
        [[ $name == linn_locked_* ]] || echo "stranger: $name"
    done < <(nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u)
    while read -r name; do
        undefined=$((undefined + 1))
        [[ $name != linn_* || $name == linn_locked_* ]] || echo "reference to the other library: $name"
    done < <(nm -g --undefined-only "$@" | awk 'NF == 2 { print $2 }' | sort -u)
}

command -v nm >/dev/null || { echo "nm is not here: apt-get install binutils"; exit 1; }
faults=$TEST_TMPDIR/faults

printf '%s\n' 'void linn_other(void); void linn_stranger(void);' \
    'void linn_stranger(void) { linn_other(); }' >"$TEST_TMPDIR/planted.c"
cc -c "$TEST_TMPDIR/planted.c" -o "$TEST_TMPDIR/planted.o"
read_symbols "$TEST_TMPDIR/planted.o" >"$faults"
grep -qx 'stranger: linn_stranger' "$faults" || { echo "a planted stranger was not seen"; exit 1; }
grep -qx 'reference to the other library: linn_other' "$faults" || { echo "a planted reference was not seen"; exit 1; }

read_symbols "$@" >"$faults"
cat "$faults"
found=$(wc -l <"$faults")
echo "$# archives, $defined symbols defined, $undefined referred to, $found faults (floor $floor)"
((defined >= floor)) || { echo "fewer symbols than $floor: nothing was looked at"; exit 1; }
((found == 0))
