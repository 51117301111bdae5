#!/bin/bash
# coverage_merge_test.sh MERGER: what it makes of gcov's own output of a program whose
# counts are known, once as the merger of one test, once as the adder of two.
set -euo pipefail
merger=$PWD/$1
cd "$TEST_TMPDIR"
cat >known.c <<'C'
static int twice(int n) {
    return n > 100 ? 0 : 2 * n;
}
int main(void) {
    int sum = 0;
    for (int i = 0; i < 7; i++) {
        sum += twice(i);
    }
    return sum != 42;
}
C
gcc --coverage -O0 -c known.c -o known.o
gcc --coverage known.o -o known
./known
mkdir data
gcov --json-format --branch-probabilities known.gcda
mv ./*.gcov.json.gz data/

expect() {
    grep -qxF "$2" "$1" || { echo "no '$2' in:"; cat "$1"; exit 1; }
    expected=$((${expected:-0} + 1))
}

"$merger" --coverage_dir=data --output_file=one.dat
expect one.dat SF:known.c
expect one.dat FNDA:7,twice
expect one.dat FNDA:1,main
expect one.dat DA:2,7
expect one.dat DA:7,7
expect one.dat LF:7
expect one.dat LH:7
# The branch above 100 is never taken.
expect one.dat BRF:4
expect one.dat BRH:3

printf '%s\n' one.dat one.dat >reports
"$merger" --reports_file=reports --output_file=two.dat
expect two.dat FNDA:14,twice
expect two.dat DA:7,14
expect two.dat BRH:3
expect two.dat LF:7

"$merger" --coverage_dir=data --output_file=none.dat '--filter_sources=known.*'
[[ ! -s none.dat ]] || { echo "a file was not filtered out"; exit 1; }
echo "$expected lines as expected, and a filtered file left out"
