#!/bin/sh
# Tries the two commands where nothing is installed: `sh .ci/clean-root.sh [root|user] [COMMAND...]`, as root.
#
# A bare Debian 12 is made by debootstrap in a temporary directory, the last commit of this checkout is
# cloned into it, and each command is run twice there: the second time has to be quick. `user` runs them as
# somebody who has sudo. Commands are `rehearse` and `test`; both, when none is named. Needs debootstrap and
# git; takes minutes, and is no part of what continuous integration runs. Another system, for example:
#   ROOT_SUITE=noble ROOT_MIRROR=http://archive.ubuntu.com/ubuntu ROOT_COMPONENTS=main,universe \
#   ROOT_KEYRING=ubuntu-archive-keyring.gpg ROOT_SCRIPT=/usr/share/debootstrap/scripts/gutsy sh .ci/clean-root.sh
set -eu

who=${1:-root}
[ "$#" -eq 0 ] || shift
[ "$#" -gt 0 ] || set -- rehearse test
case $who in root | user) ;; *) echo "usage: sh .ci/clean-root.sh [root|user] [rehearse|test]..." >&2; exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "debootstrap and chroot need root" >&2; exit 1; }

project=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d /var/tmp/clean-root.XXXXXX)
debian=$place/debian
suite=${ROOT_SUITE:-bookworm}

# Deletes only when nothing is mounted below any more: /dev is the machine's own.
clean_up() {
    for mounted in dev/pts dev/shm dev proc .; do
        ! mountpoint -q "$debian/$mounted" || umount "$debian/$mounted" || umount -l "$debian/$mounted"
    done
    if grep -q " $place/" /proc/mounts; then echo "still mounted below $place; left there" >&2
    else rm -rf "$place"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

inside() { chroot "$debian" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

# What this machine needs to reach the registries, and nothing else of it.
registries() {
    cp /etc/resolv.conf "$debian/etc/resolv.conf"
    grep -ls '^Acquire::' /etc/apt/apt.conf.d/* | while read -r file; do cp "$file" "$debian/etc/apt/apt.conf.d/"; done
    if [ -d /usr/local/share/ca-certificates ]; then
        cp -r /usr/local/share/ca-certificates "$debian/usr/local/share/"
        inside update-ca-certificates >/dev/null 2>&1
    fi
    echo "127.0.0.1 localhost $(uname -n)" >"$debian/etc/hosts"
    env | grep -E '^(PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT)|SSL_CERT_FILE|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)=' \
        >"$debian/etc/environment" || true
}

make_root() {
    echo "=== a bare $suite in $debian"
    debootstrap --variant=minbase --include=ca-certificates --components="${ROOT_COMPONENTS:-main}" \
        ${ROOT_KEYRING:+--keyring="$ROOT_KEYRING"} "$suite" "$debian" "${ROOT_MIRROR:-http://deb.debian.org/debian}" \
        ${ROOT_SCRIPT:+"$ROOT_SCRIPT"} >"$place/debootstrap.log" 2>&1 || { tail -n 20 "$place/debootstrap.log" >&2; exit 1; }
    mount --bind "$debian" "$debian"  # a root that is a mount, as everywhere
    mount -t proc proc "$debian/proc"
    mount --bind /dev "$debian/dev"
    [ ! -d /dev/pts ] || mount --bind /dev/pts "$debian/dev/pts"
    mount -t tmpfs tmpfs "$debian/dev/shm"
    registries
}

make_user() {
    inside useradd --create-home --shell /bin/sh tester
    inside sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends sudo' >/dev/null 2>&1
    echo 'tester ALL=(ALL) NOPASSWD: ALL' >"$debian/etc/sudoers.d/tester"
}

# Those of root in a container: it may install packages, and may not mount.
CAPABILITIES=+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw
CAPABILITIES=$CAPABILITIES,+sys_chroot,+mknod,+audit_write,+setfcap

# In seconds, as the shell of a person would run it.
run() {
    began=$(date +%s)
    status=0
    inside setpriv --reuid="$account" --regid="$account" --init-groups --bounding-set="-all,$CAPABILITIES" \
        env HOME="$home" USER="$account" sh -c '
            set -a; . /etc/environment; set +a
            cd "$HOME/restore" && exec sh "deploy/$1.sh" </dev/null' - "$1" || status=$?
    echo "=== deploy/$1.sh as $account: status $status after $(($(date +%s) - began)) s"
    [ "$status" = 0 ] || failed=$status
    leftovers
}

# The set-up must leave no service running and no policy behind.
leftovers() {
    if [ -e "$debian/usr/sbin/policy-rc.d" ]; then echo "=== policy-rc.d was left behind"; failed=1; fi
    for exe in /proc/[0-9]*/root; do
        [ "$(readlink "$exe" 2>/dev/null)" != "$debian" ] || { echo "=== left running: $(tr '\0' ' ' <"${exe%root}cmdline")"; failed=1; }
    done
}

failed=0
make_root
account=root home=/root
if [ "$who" = user ]; then make_user; account=tester home=/home/tester; fi
git clone --quiet "file://$project" "$debian$home/restore"
chroot "$debian" chown -R "$account:$account" "$home/restore"
for command in "$@"; do
    run "$command"
    run "$command"
done
exit "$failed"
