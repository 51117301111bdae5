# Shared by the linter tests; sourced with the workspace's files as arguments.

fail() {
    echo "$*"
    exit 1
}

# need COMMAND PACKAGE
need() {
    command -v "$1" >/dev/null || fail "$1 is not here: apt-get install $2"
}

# Sets `files` to those arguments whose path matches the pattern.
choose() {
    local pattern=$1 f
    shift
    files=()
    for f in "$@"; do
        f=${f#./} # as Bazel writes a file of the root
        [[ /$f =~ $pattern ]] && files+=("$f")
    done
    return 0
}

# A package that nobody named in build_defs/packages.bzl would pass unseen.  Where
# the real tree can be reached behind Bazel's links, its files must all be inputs,
# but for the folders that Bazel itself is told to ignore.
check_complete() {
    local pattern=$1 root missing ignored
    ignored=$(sed 's,^,^,; s,$,/,' .bazelignore)
    root=$(dirname "$(readlink -f .bazelrc)")
    if [[ ! -e $root/WORKSPACE || $root == "$PWD" ]]; then return 0; fi
    missing=$(comm -23 \
        <(cd "$root" && find . -name .git -prune -o -name 'bazel-*' -prune -o \
            -type f -print | grep -E "$pattern" | sed 's,^\./,,' |
            grep -vf <(echo "$ignored") | sort) \
        <(printf '%s\n' "${files[@]}" | sort))
    [[ -z $missing ]] || fail "not among the inputs (name the package in build_defs/packages.bzl):
$missing"
}
