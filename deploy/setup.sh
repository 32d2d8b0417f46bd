#!/bin/sh
# Makes this checkout able to run: `sh deploy/setup.sh application` or `sh deploy/setup.sh tests`.
#
# Debian packages that are missing, a virtual environment in .venv, and the project installed in it.
# What is there already is left as it is: a second run asks neither apt nor pip for anything. Nothing is
# fetched but from the package registries that apt and pip are configured for.
set -eu

purpose=${1:?"usage: sh deploy/setup.sh application|tests"}
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
stamp=$venv/.installed
policy=/usr/sbin/policy-rc.d

say() { echo "setup: $*" >&2; }
fail() { say "error: $1"; shift; for line in "$@"; do say "$line"; done; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# ---- Debian packages ------------------------------------------------------------------------------

# A password is asked for only where somebody can type one.
if [ "$(id -u)" = 0 ]; then sudo=
elif [ -t 0 ]; then sudo=sudo
else sudo="sudo -n"
fi
as_root() { $sudo "$@"; }

# Its many lines are of interest only when it fails.
apt() {
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1 &&
        { rm -f "$log"; return; }
    tail -n 40 "$log" >&2
    rm -f "$log"
    fail "apt-get $1 failed; see above"
}

can_install() {
    has apt-get || fail "these are missing, and there is no apt-get to install them: $*" \
        "this has been made for Debian 12 or later and Ubuntu 24.04 or later"
    [ -z "$sudo" ] || { has sudo && $sudo true; } ||
        fail "these are missing, and installing them needs root, or sudo: $*" "as root: apt-get install $*"
}

# The rehearsal starts its own servers; one that a package starts would be in nobody's use. A server that
# ran before is not touched, and a policy that was here before stays. Nothing is removed: where another
# product is in the way of a package, apt says so.
install() {
    can_install "$@"
    say "installing $*"
    apt update
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM HUP
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        apt install -y --no-install-recommends --no-remove "$@"
        as_root rm -f "$policy"
        trap - EXIT INT TERM HUP
    else
        apt install -y --no-install-recommends --no-remove "$@"
    fi
    for package in "$@"; do leave_disabled "$package"; done
}

leave_disabled() {
    case $1 in
        redis-server | postgresql) service=$1 ;;
        mariadb-server) service=mariadb ;;
        *) return 0 ;;
    esac
    if has systemctl; then as_root systemctl --quiet disable "$service" >/dev/null 2>&1 || true
    else as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
    fi
}

# ---- Python ---------------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if has "$candidate" && is_new_enough "$candidate"; then echo "$candidate"; return; fi
    done
}

no_python() {
    there=$(python3 --version 2>&1 || true)
    fail "Python 3.11 or later is needed, and here is ${there:-none}" \
        "Ubuntu 22.04 and Debian 11 are too old; Ubuntu 24.04 and Debian 12 have what is needed," \
        "or put a later python3, with its venv module, first on the PATH"
}

# Debian keeps the part of Python that fills a virtual environment in a package of its own.
venv_package() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || echo "$1-venv"
}

missing_packages() {
    has redis-server || echo redis-server
    has redis-cli || echo redis-tools
    (PATH=$PATH:/usr/sbin; has mariadbd) || echo mariadb-server
    has mariadb-dump || echo mariadb-client
    (set -- /usr/lib/postgresql/*/bin/initdb; has initdb || [ -x "$1" ]) || echo postgresql
    [ "$purpose" != tests ] || has busybox || echo busybox
    [ "$purpose" != tests ] || has cc || echo gcc libc6-dev
    if [ -n "$python" ]; then venv_package "$python"
    elif has python3; then no_python
    else echo python3 python3-venv
    fi
}

# The tests look at the report in a browser. Ubuntu has Chromium only as a snap: there these tests are left out.
browser_package() {
    has chromium || ! grep -qs '^ID=debian' /etc/os-release || echo chromium
}

# ---- the virtual environment ----------------------------------------------------------------------

digest() { sha256sum | cut -d ' ' -f 1; }

# The place belongs to it: the scripts of a virtual environment name their interpreter in full.
of_settings() { { echo "$root"; cat "$root/pyproject.toml"; } | digest; }

of_sources() {
    (cd "$root" && find pyproject.toml README.md journal orchestrator commands -type f \
        ! -path '*/__pycache__/*' -exec sha256sum {} + | sort) | digest
}

# An environment for the tests serves the application too: it runs this very tree. So the tests are
# installed editable, and what is tested is never a stale copy; the application is installed as a copy.
is_installed() {
    [ -x "$venv/bin/restore" ] && is_new_enough "$venv/bin/python" && [ -f "$stamp" ] || return 1
    found=$(cat "$stamp")
    [ "$found" = "tests $(of_settings)" ] && return 0
    [ "$purpose" = application ] && [ "$found" = "application $(of_settings) $(of_sources)" ]
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check install --quiet "$@" >&2 </dev/null; }

fill_environment() {
    is_new_enough "$venv/bin/python" || "$python" -m venv --clear "$venv" ||
        fail "the virtual environment $venv could not be made; see above"
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
    rm -f "$stamp"
    say "installing restore into $venv"
    if [ "$purpose" = tests ]; then
        pip --editable "$root[test]" || fail "pip failed; see above"
        echo "tests $(of_settings)" >"$stamp"
    else
        pip "$root" || fail "pip failed; see above"
        echo "application $(of_settings) $(of_sources)" >"$stamp"
    fi
}

# ---- kubectl, for the tests alone -----------------------------------------------------------------

# The tests hold the embedded cluster against an unmodified kubectl. That of Debian 12 is of 2021 and
# lacks the words the tests use, and Ubuntu has none, so Debian 13's is unpacked beside the tests' other
# tools: it needs only a C library as old as Debian 12's. Nothing is installed; apt checks the signature.
has_kubectl() {
    PATH=$venv/bin:$PATH kubectl version --client -o json 2>/dev/null |
        "$venv/bin/python" -c 'import json, sys
sys.exit(int(json.load(sys.stdin)["clientVersion"]["minor"].rstrip("+")) < 28)' 2>/dev/null
}

debian_mirror() {
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Created-By: Packages' 2>/dev/null |
        grep -v security | head -n 1)
    echo "${found:-http://deb.debian.org/debian}"
}

unpack_kubectl() {
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keyring" ] || install debian-archive-keyring
    has apt-get || fail "the tests need kubectl 1.28 or later on the PATH"
    say "unpacking kubectl into $venv/bin"
    work=$venv/kubectl
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    echo "deb [signed-by=$keyring] $(debian_mirror) trixie main" >"$work/sources.list"
    (cd "$work" && private_apt update && private_apt download kubectl && dpkg-deb -x kubectl_*.deb .) ||
        fail "kubectl 1.28 or later is needed by the tests, and could not be fetched; see above"
    mv "$work/usr/bin/kubectl" "$venv/bin/kubectl"
    rm -rf "$work"
}

# apt with lists of its own: this machine's configuration counts (proxies, certificates), its state does not change.
private_apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o Acquire::Languages=none \
        -o APT::Sandbox::User= "$@" >&2 </dev/null
}

# ---------------------------------------------------------------------------------------------------

python=$(find_python)
packages=$(missing_packages; [ "$purpose" != tests ] || browser_package)
# shellcheck disable=SC2086  # one word a package
[ -z "$packages" ] || install $packages
python=$(find_python)
[ -n "$python" ] || no_python
is_installed || fill_environment
[ "$purpose" != tests ] || has_kubectl || unpack_kubectl
