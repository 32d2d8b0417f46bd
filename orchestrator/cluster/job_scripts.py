"""The sh scripts that keep commands which outlive their exec: start one, look at it, stop it.

A directory of ours in the pod (.restore in HOME, or in /tmp, where none is named) holds, for each job, what was begun of it and how it ended:

    fence-RUN/EPOCH     an epoch of a run that has acted here; an older one than the newest is refused
    JOB/claim-N         a link whose target is "attempt epoch pid start container" of who began the N-th run
    JOB/run-N/pid       "pid start group" of the process that carries it out
    JOB/run-N/log, out  stderr and stdout
    JOB/run-N/input     the process that reads the input; its position is the progress
    JOB/run-N/rc        the exit code, when it has ended by itself

A claim is made by one `ln -s`, which is atomic and cannot be half done, so two starts never both win. A
process is known by its pid and its start time (field 22 of /proc/PID/stat): a pid that was given to
another process is not taken for it. What a killed carrier leaves behind is known by its process group
together with RUN in its environment.
"""

from __future__ import annotations

import shlex
from typing import Final

OLDER_EPOCH: Final = 21
RUNS_ALREADY: Final = 22
OLDER_ATTEMPT: Final = 23

# Functions of the other scripts. begun: the start time of a process that lives. newest: sets n, the number
# of runs. last: sets what the claim of the n-th run tells. living: whether anything of that run lives.
COMMON: Final = """
umask 077
line='
'
begun() { { read -r s < "/proc/$1/stat"; } 2>/dev/null || return 1; s=${s##*) }; set -- $s; [ "$1" != Z ] && [ "$1" != X ] && echo "${20}"; }
alive() { [ -n "$1" ] && [ -n "$2" ] && [ "$(begun "$1")" = "$2" ]; }
newest() { n=0; while [ -L "$1/claim-$((n+1))" ]; do n=$((n+1)); done; }
told() { last_attempt=$1 last_epoch=$2 last_pid=$3 last_start=$4; shift 4; last_container=$*; }
last() {
  told $(readlink "$1/claim-$n"); r=$1/run-$n pid= start= group=
  [ ! -e "$r/pid" ] || read -r pid start group < "$r/pid"
}
left() {
  [ -n "$group" ] || return 1
  for p in /proc/[0-9]*; do
    { read -r s < "$p/stat"; } 2>/dev/null || continue
    s=${s##*) }; set -- $s
    [ "$3" = "$group" ] && [ "$1" != Z ] && [ "$1" != X ] || continue
    case "$line$({ tr '\\000' '\\n' < "$p/environ"; } 2>/dev/null)$line" in *"${line}RUN=$r$line"*) return 0;; esac
  done
  return 1
}
living() { [ "$last_container" = "$1" ] && { alive "$pid" "$start" || alive "$last_pid" "$last_start" || left; }; }
nap() { sleep 0.05 2>/dev/null || sleep 1; }
home() { # sets dir: the one that is named, else one that this container can write to
  dir=$1; [ -z "$dir" ] || return 0
  dir=${HOME:-/tmp}/.restore
  { mkdir -p "$dir" && [ -w "$dir" ]; } 2>/dev/null || dir=/tmp/.restore
}
fence() { # of one run: its name is the first part of a job's
  f=$1/fence-${3%%.*}; mkdir -p "$f" && : > "$f/$2" || exit 8
  for other in "$f"/*; do
    if [ "${other##*/}" -gt "$2" ]; then echo "epoch $2 is older than ${other##*/}, which acts here now" >&2; exit 21; fi
  done
}
"""

# Carries out `program` in a session of its own: it outlives whoever started it, and writes down its end. Images
# that put their programs on the PATH by BASH_ENV need bash for it.
CARRIER: Final = """
run=$1 program=$2; shift 2
read -r s < /proc/$$/stat; s=${s##*) }
start=$(set -- $s; echo "${20}"); group=$(set -- $s; echo "$3")
echo "$$ $start $group" > "$run/pid.new" && mv "$run/pid.new" "$run/pid" || exit 8
shell=sh; if [ -n "${BASH_ENV-}" ] && command -v bash >/dev/null 2>&1; then shell=bash; fi
"$shell" -c "$program" restore "$@" > "$run/out" 2> "$run/log"
echo "$?" > "$run/rc.new"; mv "$run/rc.new" "$run/rc"
"""

# directory job attempt epoch container argument…, and the variables carrier and program -> "started", or "runs" if this attempt does
START: Final = COMMON + """
home "$1"; job=$2 attempt=$3 epoch=$4 container=$5; shift 5
mkdir -p "$dir/$job" || exit 8
fence "$dir" "$epoch" "$job"
mine=$(begun $$) || { echo "there is no /proc in this container" >&2; exit 8; }
newest "$dir/$job"
if [ "$n" -gt 0 ]; then
  last "$dir/$job"
  if [ ! -e "$r/rc" ] && living "$container"; then
    if [ "$last_attempt" = "$attempt" ]; then echo runs; echo end; exit 0; fi
    echo "attempt $last_attempt of $job is still running" >&2; exit 22
  fi
  if [ "$epoch" = "$last_epoch" ] && [ "$attempt" -lt "$last_attempt" ]; then
    echo "attempt $attempt of $job is older than attempt $last_attempt" >&2; exit 23
  fi
fi
n=$((n+1)); run=$dir/$job/run-$n
if ! ln -s "$attempt $epoch $$ $mine $container" "$dir/$job/claim-$n"; then
  echo "another start of $job was quicker" >&2; exit 22
fi
mkdir -p "$run" || exit 8
if command -v setsid >/dev/null 2>&1; then
  RUN=$run setsid sh -c "$carrier" restore "$run" "$program" "$@" < /dev/null > /dev/null 2>&1 &
else
  set -m 2>/dev/null
  RUN=$run sh -c "$carrier" restore "$run" "$program" "$@" < /dev/null > /dev/null 2>&1 &
fi
child=$!
while [ ! -e "$run/pid" ] && kill -0 "$child" 2>/dev/null; do nap; done
if [ ! -e "$run/pid" ]; then echo "$job could not be begun" >&2; exit 8; fi
echo started; echo end
"""

# directory job container -> "never|running|exited|lost code done_bytes", then the last lines of its log
STATE: Final = COMMON + """
home "$1"; newest "$dir/$2"
if [ "$n" = 0 ]; then echo never - 0; echo; echo end; exit 0; fi
last "$dir/$2"; state=lost code=- done=0
if [ ! -e "$r/rc" ] && living "$3"; then state=running; fi
# It may have ended between the two looks.
if [ -e "$r/rc" ]; then state=exited; read -r code < "$r/rc"; fi
if [ -e "$r/done" ]; then read -r done < "$r/done"
elif [ -e "$r/input" ]; then
  read -r reader < "$r/input"
  done=$(sed -n 's/^pos:[^0-9]*//p' "/proc/$reader/fdinfo/0" 2>/dev/null)
fi
echo "$state $code ${done:-0}"
if [ -e "$r/log" ]; then tail -n 8 "$r/log" | tail -c 4000; fi
echo; echo end
"""

# directory job epoch container: TERM, then KILL to the whole process group; returns when nothing of it is left
STOP: Final = COMMON + """
home "$1"; job=$2 epoch=$3 container=$4 tries=0
[ ! -d "$dir" ] || fence "$dir" "$epoch" "$job"
newest "$dir/$job"
if [ "$n" -gt 0 ]; then
  last "$dir/$job"
  while [ ! -e "$r/pid" ] && living "$container"; do nap; done
  last "$dir/$job"
  if [ "$last_container" = "$container" ] && left; then
    kill -TERM "-$group" 2>/dev/null
    while left; do
      tries=$((tries+1)); [ "$tries" -lt 40 ] || kill -KILL "-$group" 2>/dev/null
      nap
    done
  fi
  if [ ! -e "$r/rc" ] && mkdir -p "$r"; then echo stopped >> "$r/log"; echo 143 > "$r/rc.new"; mv "$r/rc.new" "$r/rc"; fi
fi
echo gone; echo end
"""

# Both places that `home` chooses from: a container that was replaced may have chosen the other one.
PLACES: Final = """
case $1 in ''|*[!A-Za-z0-9_-]*) echo "a run's id holds a character that is refused" >&2; exit 14;; esac
run=$1 last=; set --
for d in "${HOME:-/tmp}/.restore" /tmp/.restore; do
  [ "$d" != "$last" ] || continue
  last=$d
  for e in "$d/$run".* "$d/fence-$run"; do if [ -e "$e" ]; then set -- "$@" "$e"; fi; done
done
"""

# run -> the directories that its jobs have left, one a line
OF_RUN: Final = PLACES + """
for e in "$@"; do echo "$e"; done
echo; echo end
"""

# run: removes them, and what kept them if it is empty then
REMOVE: Final = PLACES + """
[ $# = 0 ] || rm -rf "$@" || exit 8
rmdir "${HOME:-/tmp}/.restore" /tmp/.restore 2>/dev/null
echo end
"""


def starting(program: str) -> str:
    """The script that starts one program of the closed list."""
    return f"carrier={shlex.quote(CARRIER)}\nprogram={shlex.quote(program)}\n{START}"
