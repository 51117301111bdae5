#!/bin/bash
# bare_root.sh [--suite bookworm|trixie] -- COMMAND [ARG ...]
#
# Runs a command on this tree's files in a bare Debian root, made for the occasion
# and thrown away afterwards.  The root has Debian's smallest set and certificates;
# of this machine only what reaching an archive takes: resolver, hosts, apt's mirror
# and options, own certificates, proxies.  Needs root and debootstrap (which it
# installs if it can).  Exit status: the command's; 77 if no root can be made here.
set -euo pipefail

suite=bookworm
if [[ ${1:-} == --suite ]]; then
    suite=$2
    shift 2
fi
if [[ ${1:-} != -- || $# -lt 2 ]]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
shift
tree=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)

cannot() {
    echo "bare_root: $*" >&2
    exit 77
}

((EUID == 0)) || cannot "needs root (debootstrap, chroot, mount)"
if ! command -v debootstrap >/dev/null; then
    command -v apt-get >/dev/null || cannot "no debootstrap, and no apt-get to get it"
    DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        debootstrap >/dev/null 2>&1 || cannot "debootstrap cannot be installed"
fi

# The mirrors this machine uses, in either of apt's two formats.
uris=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
    /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } | awk '
    $1 == "URIs:" { for (i = 2; i <= NF; i++) print $i }
    $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) print $i }')
mirror=$(grep -m 1 -E '/debian/?$' <<<"$uris") || cannot "no Debian mirror in apt's sources"
security=$(grep -m 1 -E '/debian-security/?$' <<<"$uris") || security=

work=$(mktemp -d "${TMPDIR:-/var/tmp}/bare_root.XXXXXX")
root=$work/root
# Mounts live in a namespace of their own and are gone before this.
trap 'rm -rf --one-file-system "$work"' EXIT
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" \
    >"$work/log" 2>&1 || {
    tail -n 5 "$work/log" >&2
    cannot "debootstrap failed"
}

cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    # What says how to reach the archive; the rest is this machine's own business.
    if [[ -f $file ]] && grep -qE '^[^/#]*Acquire' "$file"; then
        cp "$file" "$root/etc/apt/apt.conf.d/90-host-$(basename "$file")"
    fi
done
mkdir -p "$root/usr/local/share/ca-certificates" "$root/src"
cp /usr/local/share/ca-certificates/*.crt \
    "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
chroot "$root" update-ca-certificates >/dev/null 2>&1
{
    echo "deb $mirror $suite main"
    echo "deb $mirror $suite-updates main"
    [[ -z $security ]] || echo "deb $security $suite-security main"
} >"$root/etc/apt/sources.list"

# The tree's own files: those git knows and those it would take.
if git -C "$tree" rev-parse --git-dir >/dev/null 2>&1; then
    (cd "$tree" && git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' f; do [[ ! -e $f ]] || printf '%s\0' "$f"; done |
        tar --null -T - -cf -) | tar -C "$root/src" -xf -
else
    tar -C "$tree" --exclude='./bazel-*' -cf - . | tar -C "$root/src" -xf -
fi

environment=(USER=root LANG=C.UTF-8 "TERM=${TERM:-dumb}"
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -z ${!name:-} ]] || environment+=("$name=${!name}")
done

status=0
unshare --mount --pid --fork --kill-child -- bash -euc '
    root=$1
    shift
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount --bind /sys "$root/sys"
    exec chroot "$root" /usr/bin/env -i "$@"' bash "$root" "${environment[@]}" \
    bash -c 'export HOME=~root; cd /src && exec "$@"' bash "$@" </dev/null || status=$?
exit "$status"
