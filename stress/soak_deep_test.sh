#!/bin/bash
# soak_deep_test.sh SOAK: 6.4 x 10^8 operations of 64 threads, half of the frees by
# another thread, canaries on, each variant; nothing is lost and nothing stays live.
# Cut into two shards, each soaks one variant.
set -euo pipefail
soak=$1
operations=640000000
variants=(lock-free locked)
if [[ -n ${TEST_SHARD_STATUS_FILE:-} ]]; then
    touch "$TEST_SHARD_STATUS_FILE"
    variants=("${variants[@]:$TEST_SHARD_INDEX:1}")
fi
for variant in "${variants[@]}"; do
    # Its status is 1 when blocks were lost, 3 when a canary was broken.
    "$soak" --variant "$variant" --threads 64 --operations $operations \
        --workload hand-off --seed 1 | tee "$TEST_TMPDIR/out"
    read -r done frees elsewhere canaries < <(sed -nE \
        's/^operations ([0-9]+).*frees ([0-9]+).*by another thread ([0-9]+).*canaries ([0-9]+).*/\1 \2 \3 \4/p' \
        "$TEST_TMPDIR/out")
    grep -q 'live at the end 0' "$TEST_TMPDIR/out"
    if ((done < operations || elsewhere * 100 < frees * 40 || canaries != frees)); then
        echo "$variant: too little was done" >&2
        exit 1
    fi
done
