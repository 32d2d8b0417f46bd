"""The sh scripts that run in pods: constant texts of POSIX sh and coreutils (busybox too).

No script is ever put together from data: values are the arguments `$1`, `$2`, …. Each script that is
read ends with a line `end`: an answer without it was cut off, whatever the exit code says.
"""

from __future__ import annotations

from typing import Final

END: Final = "end"

# Puts what the image has in the place of sha256sum; all of them print the digest first.
HASH: Final = """
has() { command -v "$1" >/dev/null 2>&1; }
if has sha256sum; then :
elif has shasum; then sha256sum() { shasum -a 256 "$@"; }
elif has openssl; then sha256sum() { openssl dgst -sha256 -r "$@"; }
elif has busybox; then sha256sum() { busybox sha256sum "$@"; }
else echo "this container has neither sha256sum nor shasum, openssl or busybox" >&2; exit 11; fi
"""

# `digest` is that of stdin. `streams_of bytes` chooses for streams of that size: OpenSSL takes longer to start and
# is four times as fast as the sha256sum of Debian. It is asked for what nothing hashes to: it may not work at all.
DIGEST: Final = HASH + """
digest() { sha256sum; }
streams_of() {
  [ "$1" -ge 4194304 ] && has openssl || return 0
  case $(openssl dgst -sha256 -r </dev/null 2>/dev/null) in
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855*) digest() { openssl dgst -sha256 -r; };;
  esac
}
"""

# -> one line a path: index, f|d|-, size, sha256 or -
FILES: Final = DIGEST + """
digests=$1; shift; i=0
for p in "$@"; do
  if [ -d "$p" ]; then echo "$i d 0 -"
  elif [ -f "$p" ]; then
    s=$(wc -c < "$p") || exit 8
    h=-; if [ "$digests" = 1 ]; then streams_of $((s)); h=$(digest < "$p") || exit 8; fi
    echo "$i f $((s)) ${h%% *}"
  else echo "$i - 0 -"; fi
  i=$((i+1))
done
echo end
"""

# -> INFO, then "@name" and the two lines of CONFIG GET for each argument, then @time
REDIS: Final = """
redis-cli INFO || exit 7
for name in "$@"; do printf '\\n@%s\\n' "$name"; redis-cli CONFIG GET "$name" || exit 7; done
printf '\\n@time\\n'; redis-cli TIME || exit 7
echo end
"""

SET_ASIDE: Final = """
if [ -e "$2" ]; then echo "$2 exists already" >&2; exit 17; fi
if [ ! -e "$1" ]; then echo "$1 does not exist" >&2; exit 2; fi
mv -- "$1" "$2"
"""

REMOVE: Final = 'rm -rf -- "$1"'

# part size block per is_new, and first and end of each span in blocks -> for each span the sha256 of every `per`
# blocks of the part as far as it goes, and `-`. A new one is made where there is none, and cut off after size
BLOCKS: Final = DIGEST + """
part=$1 size=$2 block=$3 per=$4 new=$5; shift 5
if [ -e "$part" ]; then
  there=$(($(wc -c < "$part"))) || exit 8
  if [ "$there" -gt "$size" ] && [ "$new" = 1 ]; then dd if=/dev/null of="$part" bs=1 seek="$size" 2>/dev/null || exit 8; fi
  [ "$there" -le "$size" ] || there=$size
elif [ "$new" = 1 ]; then there=0; (umask 077; : > "$part") || exit 8
else echo "$part does not exist" >&2; exit 2; fi
streams_of $((per*block))
while [ $# -gt 0 ]; do
  n=$1
  while [ $((n*block)) -lt "$there" ] && [ "$n" -lt "$2" ]; do
    count=$(($2-n)); [ "$count" -le "$per" ] || count=$per
    h=$(dd if="$part" bs="$block" skip="$n" count="$count" 2>/dev/null | digest) || exit 8
    echo "${h%% *}"; n=$((n+count))
  done
  echo -; shift 2
done
echo end
"""

# part number length block, and `length` bytes on stdin, which are written from block `number` on -> the
# sha256 of what the file then holds there. A dd that cannot read whole blocks from a pipe gets them by head,
# which reads little at a time
CHUNK: Final = DIGEST + """
part=$1 n=$2 length=$3 block=$4 blocks=0
[ -f "$part" ] || exit 9
full() { echo "$part cannot be written: is the volume full?" >&2; exit 8; }
if dd if=/dev/null of=/dev/null iflag=fullblock 2>/dev/null; then blocks=$((length/block)); fi
if [ "$blocks" -gt 0 ]; then dd of="$part" bs="$block" seek="$n" count="$blocks" iflag=fullblock conv=notrunc 2>/dev/null || full; fi
rest=$((length-blocks*block))
if [ "$rest" -gt 0 ]; then head -c "$rest" | dd of="$part" bs="$block" seek=$((n+blocks)) conv=notrunc 2>/dev/null || full; fi
streams_of "$length"
h=$(dd if="$part" bs="$block" skip="$n" count=$(((length+block-1)/block)) 2>/dev/null | digest) || exit 8
echo "${h%% *}"; echo end
"""

# path number length block -> so many bytes from block `number` on, and after them a line with their sha256. dd goes
# there at once, where a tail that counts (busybox) would read everything before
RANGE: Final = DIGEST + """
[ -f "$1" ] || { echo "$1 does not exist" >&2; exit 2; }
range() { dd if="$1" bs="$4" skip="$2" count=$((($3+$4-1)/$4)) 2>/dev/null | head -c "$3"; }
range "$@" || exit 8
streams_of "$3"
h=$(range "$@" | digest) || exit 8
echo "${h%% *}"; echo end
"""

# part path sha256: renames the whole file into place, and never over another
FINISH: Final = DIGEST + """
streams_of $(($(wc -c < "$1"))) || exit 8
h=$(digest < "$1") || exit 8
if [ "${h%% *}" != "$3" ]; then echo "the digest of the whole file is wrong" >&2; exit 10; fi
if [ -e "$2" ]; then echo "$2 exists already" >&2; exit 17; fi
sync "$1" 2>/dev/null || sync
mv -- "$1" "$2"
"""

# run epoch, before any other script: refuses it where a later epoch of the run has been here, by the same files as
# the jobs' (job_scripts). A container that nothing can be written to is not fenced.
FENCE: Final = """
for d in "${HOME:-/tmp}/.restore" /tmp/.restore; do
  f=$d/fence-$1
  if { (umask 077; mkdir -p "$f" && : > "$f/$2"); } 2>/dev/null; then
    for other in "$f"/*; do
      if [ "${other##*/}" -gt "$2" ]; then echo "epoch $2 is older than ${other##*/}, which acts here now" >&2; exit 21; fi
    done
    break
  fi
done
shift 2
"""
OLDER_EPOCH: Final = 21

BGREWRITEAOF: Final = "redis-cli BGREWRITEAOF"
APPEND: Final = "redis-cli CONFIG SET appendonly yes"
SAVE: Final = 'redis-cli CONFIG SET save "$1" && redis-cli CONFIG SET appendonly "$2"'
FREE: Final = 'df -Pk "$1" | tail -n 1; echo end'


def argv(script: str, *arguments: str) -> list[str]:
    """The command of an exec: the constant script, and its arguments as they are."""
    return ["sh", "-c", script, "restore", *arguments]


def fenced(command: list[str], run: str, epoch: int) -> list[str]:
    """The command that argv has made, refused where a later epoch of the run has acted."""
    shell, flag, script, name, *arguments = command
    return [shell, flag, FENCE + script, name, run, str(epoch), *arguments]


# Reads the script from stdin, which no line of a proxy limits, and runs it only if it came whole. Some images
# put their programs on the PATH by BASH_ENV, which only bash reads.
FROM_STDIN: Final = """
script=$(head -c "$1") && [ "${#script}" = "$1" ] || exit 9
shift; shell=sh
if [ -n "${BASH_ENV-}" ] && command -v bash >/dev/null 2>&1; then shell=bash; fi
exec "$shell" -c "$script" restore "$@" < /dev/null
"""
CUT_OFF: Final = 9


def from_stdin(script: str, *arguments: str) -> tuple[list[str], bytes]:
    """Command and stdin of an exec that runs a long script, with its arguments as they are."""
    content = script.strip().encode("ascii")
    return argv(FROM_STDIN, str(len(content)), *arguments), content
