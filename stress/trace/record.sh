#!/bin/bash
# record.sh RECORD.PY ARGUMENT...: the Python of the system, whatever is first on
# PATH, so that what it starts and what it records is a Debian package's.
exec /usr/bin/python3 "$@"
