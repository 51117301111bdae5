#!/bin/bash
# bazelw with a package list, a package database and package tools of this test: what
# it says without rights, network or leave, what it installs, and that a second run
# calls no package tool.  Every tool that it can call is in one folder, and each of
# the shims writes its command line into a log.
set -u
here=$TEST_TMPDIR/here
bin=$here/bin
log=$here/log
mkdir -p "$bin" "$here/tree/build_defs" "$here/home"
cp -L bazelw "$here/tree/bazelw"
chmod +x "$here/tree/bazelw"
for tool in awk cat dirname grep mkdir mktemp readlink rm sed sha256sum tail tr xargs; do
    ln -s "$(command -v "$tool")" "$bin/$tool"
done

shim() { # NAME, its body on stdin
    {
        echo '#!/bin/bash'
        # shellcheck disable=SC2016
        echo 'here=$(cd "${0%/*}/.." && pwd)'
        echo "echo \"$1 \$*\" >>\"\$here/log\""
        cat
    } >"$bin/$1"
    chmod +x "$bin/$1"
}
shim dpkg-query <<'END'
sed 's/.*/ii  & 1.0/' "$here/installed"
END
shim apt-cache <<'END'
for name in "${@:2}"; do
    candidate='(none)'
    [[ " $(cat "$here/archive") " != *" $name "* ]] || candidate=2.0
    printf '%s:\n  Installed: (none)\n  Candidate: %s\n' "$name" "$candidate"
done
END
shim apt-get <<'END'
if [[ -e $here/no_network ]]; then
    echo "E: Could not resolve 'archive.example'" >&2
    exit 100
fi
[[ " $* " == *" install "* ]] || exit 0
for word in "$@"; do
    [[ " $(cat "$here/archive") " != *" $word "* ]] || echo "$word" >>"$here/installed"
done
END
shim bazel <<'END'
exit "$(cat "$here/bazel_status")"
END
shim id <<'END'
cat "$here/uid"
END

fresh() { # a machine with one package of four needs
    rm -rf "$here/home" "$log" "$here/no_network" "$bin/sudo"
    mkdir "$here/home"
    printf '%s\n' '# a comment' 'pkg-a' '' 'pkg-b | pkg-c # one of them' \
        'cmd:tool-d | pkg-d' 'cmd:sed | pkg-e' >"$here/tree/build_defs/packages.debian"
    echo pkg-a >"$here/installed"
    echo "pkg-c pkg-d pkg-e" >"$here/archive"
    echo 0 >"$here/uid"
    echo 0 >"$here/bazel_status"
    : >"$log"
}

checks=0
faults=0
fault() {
    echo "$case: $1" >&2
    sed 's/^/    said: /' "$here/err" >&2
    sed 's/^/    called: /' "$log" >&2
    faults=$((faults + 1))
}
run() { # EXPECTED-STATUS [NAME=VALUE ...] -- ARGUMENT ...
    local expected=$1 environment=() status
    shift
    while [[ $1 != -- ]]; do
        environment+=("$1")
        shift
    done
    shift
    : >"$log"
    env -i PATH="$bin" HOME="$here/home" DPKG_ADMINDIR="$here/dpkg" \
        "${environment[@]}" "$here/tree/bazelw" "$@" \
        >"$here/out" 2>"$here/err" </dev/null
    status=$?
    checks=$((checks + 1))
    [[ $status == "$expected" ]] || fault "exit status $status, expected $expected"
}
says() {
    checks=$((checks + 1))
    grep -qF -- "$1" "$here/err" || fault "does not say: $1"
}
calls() { # a whole line of the log, times
    checks=$((checks + 1))
    local times
    times=$(grep -cxF -- "$1" "$log")
    [[ $times == "$2" ]] || fault "calls \"$1\" $times times, expected $2"
}
calls_no() {
    checks=$((checks + 1))
    ! grep -qE -- "^($1) " "$log" || fault "calls one of $1"
}
missing="missing here: pkg-b|pkg-c cmd:tool-d|pkg-d"
advice="apt-get update && apt-get install --no-install-recommends pkg-c pkg-d"

case="without rights and sudo"
fresh
echo 1000 >"$here/uid"
run 1 -- test //...
says "not root, and no sudo"
says "$missing"
says "$advice"
calls_no "apt-get|bazel"

case="without rights, sudo refuses"
shim sudo <<'END'
exit 1
END
run 1 -- test //...
says "not root, and sudo refuses"
says "$missing"
says "$advice"
calls_no "apt-get|bazel"

case="BAZELW_INSTALL=no"
fresh
run 1 BAZELW_INSTALL=no -- test //...
says "BAZELW_INSTALL=no"
says "$missing"
says "$advice"
calls_no "apt-get|bazel"

case="without network"
fresh
: >"$here/no_network"
run 1 -- test //...
says "Could not resolve"
says "apt-get could not install them"
says "$missing"
says "$advice"
calls_no bazel

case="a package that no archive has"
fresh
echo "pkg-c" >"$here/archive"
run 1 -- test //...
says "apt knows no package for: cmd:tool-d|pkg-d"
says "$missing"
says "$advice"
calls_no bazel

case="first run"
fresh
run 0 -- test //...
says "installing 2 packages and what they need: pkg-c pkg-d"
install="apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends"
calls "$install pkg-c pkg-d" 1
calls "bazel test //..." 1

case="second run"
run 0 -- test //...
calls_no "dpkg-query|apt-get|apt-cache|id|sudo"
calls "bazel test //..." 1
checks=$((checks + 1))
[[ $(wc -l <"$log") == 1 ]] || fault "calls more than Bazel"
checks=$((checks + 1))
[[ ! -s $here/err ]] || fault "says something"

case="Bazel's own exit status"
echo 3 >"$here/bazel_status"
run 3 -- test //...
echo 0 >"$here/bazel_status"

case="the list has a new need"
sleep 0.01
echo "pkg-e" >>"$here/tree/build_defs/packages.debian"
run 0 -- test //...
calls "$install pkg-e" 1

case="the package database is newer"
sleep 0.01
mkdir "$here/dpkg"
: >"$here/dpkg/status"
run 0 -- info
calls "dpkg-query -W -f \${db:Status-Abbrev} \${Package} \${Version}\n" 1
calls_no "apt-get|apt-cache"
rm -r "$here/dpkg"

case="BAZELW_INSTALL=skip"
fresh
run 0 BAZELW_INSTALL=skip -- info
calls_no "dpkg-query|apt-get|apt-cache"
calls "bazel info" 1

case="nothing missing, and no place for the stamp"
fresh
printf '%s\n' pkg-a pkg-c pkg-d >"$here/installed"
rm -r "$here/home"
: >"$here/home"
run 0 -- info
calls "bazel info" 1
calls_no "apt-get|apt-cache"
checks=$((checks + 1))
[[ ! -s $here/err ]] || fault "says something"
rm "$here/home"

case="no Bazel"
fresh
mv "$bin/bazel" "$here/bazel.aside"
run 1 BAZELW_INSTALL=skip -- info
says "no bazel on PATH"
mv "$here/bazel.aside" "$bin/bazel"

echo "$checks checks, $faults faults"
((faults == 0 && checks >= 50))
