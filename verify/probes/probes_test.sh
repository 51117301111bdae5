#!/bin/sh
# Runs its arguments, a program built with flags of its own, with one arena that
# everybody shares.
set -eu
LINN_ARENAS=1
export LINN_ARENAS
exec "$@"
