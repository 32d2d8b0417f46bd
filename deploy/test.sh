#!/bin/sh
# Every check of the project, on a machine that has nothing yet: `sh deploy/test.sh`.
# Arguments go to pytest. All checks run; the exit status is pytest's, or that of a check before it.
set -eu

cd "$(dirname "$0")/.."
sh deploy/setup.sh tests
PATH=$PWD/.venv/bin:$PATH
export PATH

failed=0
check() {
    echo "--- $*"
    "$@" </dev/null || { failed=$?; echo "--- $1 FAILED"; }
}

check ruff check
check mypy
check lint-imports --no-logo
echo "--- pytest"  # a module is one worker's: what its tests share, such as a cluster, is made once
python -m pytest -n 2 --dist loadscope --no-loadscope-reorder "$@" </dev/null || failed=$?
exit "$failed"
