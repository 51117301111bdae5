#!/bin/sh
# Runs its argument, which is built with flags of its own.
set -eu
exec "$@"
