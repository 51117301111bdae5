#!/bin/bash
# provenance_test.sh RECORD.PY TRACES.TSV: PROVENANCE.md and traces.tsv are made
# from provenance.json, whose sums are those of the traces; and the check sees it
# when they are not.
set -euo pipefail
record=$1
folder=$(dirname "$2")

python3 "$record" --check-story "$folder"

fails() {
    if python3 "$record" --check-story "$bad" 2>"$TEST_TMPDIR/log"; then
        echo "$1 passed"
        exit 1
    fi
    grep -q "$2" "$TEST_TMPDIR/log" || { cat "$TEST_TMPDIR/log"; exit 1; }
}
fresh() {
    bad=$TEST_TMPDIR/$1
    cp -rL "$folder" "$bad"
    chmod -R u+w "$bad"
}
fresh prose
echo "and more" >>"$bad/PROVENANCE.md"
fails "a changed PROVENANCE.md" "PROVENANCE.md is not"
fresh table
sed -i 's/\t/\t1/' "$bad/traces.tsv"
fails "a changed traces.tsv" "traces.tsv is not"
fresh trace
for t in "$bad"/*.trace.xz; do echo >>"$t"; break; done
fails "a changed trace" "another sha256"
echo "3 planted faults found"
