#!/bin/sh
# litmus_test.sh LITMUS: the checker has the outcomes of the table and the graphs of the
# full exploration; with a fault planted it has not.
set -eu
"$1" 1000
for fault in 1 2 3; do
    "$1" 0 $fault | tail -1
    "$1" 0 $fault >/dev/null || {
        echo "planted fault $fault was not noticed" >&2
        exit 1
    }
done
