#!/bin/sh
# The whole restore on the embedded cluster, on a machine that has nothing yet: `sh deploy/rehearse.sh`.
# Arguments are those of `restore rehearse`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sh "$here/setup.sh" application
exec "$here/../.venv/bin/restore" rehearse "$@"
