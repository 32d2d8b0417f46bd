"""The sh scripts that run in pods: constant texts of POSIX sh and coreutils (busybox too).

No script is ever put together from data: values are the arguments `$1`, `$2`, …. Each script that is
read ends with a line `end`: an answer without it was cut off, whatever the exit code says.
"""

from __future__ import annotations

from typing import Final

END: Final = "end"

# -> one line a path: index, f|d|-, size, sha256 or -
FILES: Final = """
digests=$1; shift; i=0
for p in "$@"; do
  if [ -d "$p" ]; then echo "$i d 0 -"
  elif [ -f "$p" ]; then
    s=$(wc -c < "$p") || exit 8
    h=-; if [ "$digests" = 1 ]; then h=$(sha256sum < "$p") || exit 8; fi
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

# part -> its size and sha256, or 0
PART: Final = """
if [ -f "$1" ]; then s=$(wc -c < "$1"); h=$(sha256sum < "$1") || exit 8; echo "$((s)) ${h%% *}"; else echo "0 -"; fi
echo end
"""

# part offset length, and `length` bytes on stdin -> sha256 of those bytes as the file now holds them
CHUNK: Final = """
part=$1 offset=$2 length=$3
[ -f "$part" ] || : > "$part" || exit 8
size=$(($(wc -c < "$part")))
[ "$size" -ge "$offset" ] || exit 9
[ "$size" -eq "$offset" ] || dd if=/dev/null of="$part" bs=1 seek="$offset" 2>/dev/null || exit 8
head -c "$length" >> "$part" || exit 8
tail -c "+$((offset+1))" "$part" | sha256sum || exit 8
echo end
"""

# part path sha256: renames the whole file into place, and never over another
FINISH: Final = """
h=$(sha256sum < "$1") || exit 8
if [ "${h%% *}" != "$3" ]; then echo "the digest of the whole file is wrong" >&2; exit 10; fi
if [ -e "$2" ]; then echo "$2 exists already" >&2; exit 17; fi
sync "$1" 2>/dev/null || sync
mv -- "$1" "$2"
"""

BGREWRITEAOF: Final = "redis-cli BGREWRITEAOF"
APPEND: Final = "redis-cli CONFIG SET appendonly yes"
FREE: Final = 'df -Pk "$1" | tail -n 1; echo end'


def argv(script: str, *arguments: str) -> list[str]:
    """The command of an exec: the constant script, and its arguments as they are."""
    return ["sh", "-c", script, "restore", *arguments]


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
