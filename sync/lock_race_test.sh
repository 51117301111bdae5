#!/bin/sh
# ThreadSanitizer says nothing about a program that keeps to the lock, and still
# reports one that does not, with every kind of lock: the bridges of sync/lock.c
# do not hide races.
set -eu
race=$1
export TSAN_OPTIONS=exitcode=66
checked=0
for kind in mutex fas ticket mcs clh rwlock; do
    if ! "$race" "$kind" clean >clean.log 2>&1; then
        cat clean.log
        echo "$kind: a report, or an error, where there is no race" >&2
        exit 1
    fi
    status=0
    "$race" "$kind" racy >racy.log 2>&1 || status=$?
    if [ "$status" -ne 66 ] || ! grep -q 'data race' racy.log; then
        cat racy.log
        echo "$kind: status $status, no report of the seeded race" >&2
        exit 1
    fi
    checked=$((checked + 1))
done
echo "$checked kinds of lock: seeded race reported, clean run silent"
[ "$checked" -eq 6 ]
