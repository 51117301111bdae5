#!/bin/sh
# exported_names.sh SCRIPT: the symbols that a linker version script exports, one a
# line, sorted.  Each must be named in full: a pattern could not be asked for.
set -eu
export LC_ALL=C
names=$(sed 's,/\*.*\*/,,' "$1" | tr '{};' '\n\n\n' | awk '
    { gsub(/[ \t]/, "") }
    sub(/^global:/, "") { on = 1 }
    /^local:/ { on = 0 }
    on && $0 != "" { print }' | sort)
case $names in
'') echo "$1: no exported symbol" >&2 && exit 1 ;;
*[*?]*) echo "$1: name each exported symbol in full" >&2 && exit 1 ;;
esac
printf '%s\n' "$names"
