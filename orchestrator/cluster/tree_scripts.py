r"""The sh scripts that look at a directory in a pod, bring a pack of files into it, and take that back.

Names are bytes. Out they go between NULs; in they come as lines with every byte as \0ooo, which `printf %b`
reads back. The scripts work below the root with names that begin with ./ and never follow a link. The
stash, a directory of the root, keeps

    created     the names that a sync was about to make where nothing was
    moved       "N name" of what it was about to set aside, as replaced/N
    left        "op content name" of each file and link that it was about to bring: its digest, or its target
    pack-…      what travels, until it is unpacked
"""

from __future__ import annotations

from typing import Final

from orchestrator.cluster.scripts import HASH

LINK_ON_THE_WAY: Final = 19
NOT_EMPTY: Final = 18

COMMON: Final = r"""
export LC_ALL=C
umask 077
decode() { name=$1; case $1 in *\\*) name=$(printf '%b.' "$1"); name=${name%.};; esac; }
# A parent that is a link may lead anywhere: nothing is done through one.
safe() {
  rest=${1#./} way=.
  while [ "${rest#*/}" != "$rest" ]; do
    way=$way/${rest%%/*} rest=${rest#*/}
    if [ -L "$way" ]; then echo "$way is a link: what is behind it is left alone" >&2; exit 19; fi
  done
}
"""

# root stash -> the lists of the stash, each followed by NUL; then every entry:
#   d NUL name NUL · l NUL name NUL target NUL · s NUL name NUL (something else) · and files in batches:
#   b NUL name NUL … NUL (an empty name ends), lines of sha256sum in the order of the names, NUL
MANIFEST: Final = HASH + COMMON + r"""
stash=$2
if [ ! -d "$1" ]; then printf 'none\0'; printf '\nend\n'; exit 0; fi
cd "$1" || exit 8
if [ -d "./$stash" ]; then printf 'stash\0'; else printf 'clean\0'; fi
for list in created moved left; do
  if [ -e "./$stash/$list" ]; then cat "./$stash/$list" || exit 8; fi
  printf '\0'
done
line='
'
flush() {
  [ $# -gt 0 ] || return 0
  printf 'b\0'; printf '%s\0' "$@"; printf '\0'
  # Names with these are written in more than one way: each goes by itself.
  case $* in *"$line"*|*\\*) for f in "$@"; do sha256sum < "$f" || exit 8; done;; *) sha256sum "$@" || exit 8;; esac
  printf '\0'
}
walk() {
  dir=$1; set --
  for e in "$dir"/* "$dir"/.[!.]* "$dir"/..?*; do
    if [ "$e" = "./$stash" ]; then continue
    elif [ -L "$e" ]; then printf 'l\0%s\0' "$e"; readlink "$e" || exit 8; printf '\0'
    elif [ -d "$e" ]; then printf 'd\0%s\0' "$e"
    elif [ -f "$e" ]; then
      set -- "$@" "$e"
      if [ $# -ge 200 ]; then flush "$@"; set --; fi
    elif [ -e "$e" ]; then printf 's\0%s\0' "$e"
    fi
  done
  flush "$@"
  set --
  for e in "$dir"/*/ "$dir"/.[!.]*/ "$dir"/..?*/; do
    e=${e%/}
    if [ -d "$e" ] && [ ! -L "$e" ] && [ "$e" != "./$stash" ]; then set -- "$@" "$e"; fi
  done
  for e in "$@"; do walk "$e"; done
}
walk .
printf '\nend\n'
"""

# root stash pack lines_bytes blocks: unpacks what was brought. The pack's first blocks of 512 bytes hold lines:
# op n umask mode mtime size name target; then come the files, one after the other. op is d, l, f (target is its
# digest), b (a file that came by itself, named in target) or x (what only the pod has: it is set aside), n the number under which the old one is set aside, or - where there is
# none. Few processes are started for a file, as there may be very many: dd makes it with its mode, and what
# is new goes to its directory together with its neighbours.
UNPACK: Final = COMMON + r"""
cd "$1" || exit 8
stash=./$2 pack=./$2/$3 index=./$2/index-$$ new=./$2/new-$$
mkdir -p "$stash/replaced" "$new" || exit 8
exec 3< "$pack" || exit 8
dd bs=512 count="$5" <&3 2>/dev/null | head -c "$4" > "$index" || exit 8
while read -r op n rest; do
  rest=${rest#* * * * }; name=${rest%% *}
  if [ "$n" = - ]; then printf '%s
' "$name" >&4; else printf '%s %s
' "$n" "$name" >&5; fi || exit 8
  if [ "$op" != d ]; then printf '%s %s %s
' "$op" "${rest#* }" "$name" >&6 || exit 8; fi
done < "$index" 4>> "$stash/created" 5>> "$stash/moved" 6>> "$stash/left" || exit 8
sync "$stash/created" "$stash/moved" "$stash/left" 2>/dev/null || sync
aside() {
  if [ "$n" != - ] && [ ! -e "$stash/replaced/$n" ] && [ ! -L "$stash/replaced/$n" ] && { [ -e "$name" ] || [ -L "$name" ]; }; then
    mv "$name" "$stash/replaced/$n" || exit 8
  fi
  if [ -L "$name" ] || [ -f "$name" ]; then rm -f "$name" || exit 8; fi
  if [ -e "$name" ]; then echo "$name is in the way" >&2; exit 18; fi
}
to_place() { [ $# = 0 ] || mv "$@" "$last/" || exit 8; }
last=.; set --
while read -r op n mask mode mtime size name target; do
  decode "$name"
  if [ "${name%/*}" != "$last" ]; then to_place "$@"; set --; safe "$name"; last=${name%/*}; fi
  made=$new/${name##*/}
  case $op in
    x) aside; continue;;
    d) [ -d "$name" ] && [ ! -L "$name" ] || { aside; mkdir "$name" || exit 8; }
       chmod "$mode" "$name" 2>/dev/null; continue;;
    l) keep=$name; decode "$target"; to=$name; name=$keep
       aside; ln -s -- "$to" "$made" && mv "$made" "$name" || exit 8; continue;;
    f) umask "$mask"
       if [ "$size" = 0 ]; then : > "$made"; else dd bs="$size" count=1 of="$made" <&3 2>/dev/null; fi ||
         { echo "$name cannot be written: is the volume full?" >&2; exit 8; }
       umask 077;;
    b) mv "$stash/$target" "$made" || exit 8; chmod "$mode" "$made" 2>/dev/null;;
  esac
  case $mode in *[1357]*) chmod "$mode" "$made" 2>/dev/null;; esac
  touch -m -d "@$mtime" "$made" 2>/dev/null
  aside
  if [ "$n" = - ]; then set -- "$@" "$made"; else mv "$made" "$name" || exit 8; fi
done < "$index"
to_place "$@"
rm -rf "$index" "$pack" "$new"
echo end
"""

# root stash: removes what was created, brings back what was set aside, then the stash goes
PUT_BACK: Final = COMMON + r"""
cd "$1" || exit 8
[ -n "$2" ] || exit 8
stash=./$2
[ -d "$stash" ] || { echo end; exit 0; }
away() { [ $# = 0 ] || rm -f "$@" || exit 8; }
last=.; set --
if [ -e "$stash/created" ]; then
  sort -r -u "$stash/created" > "$stash/undone" || exit 8
  while read -r line; do
    decode "$line"
    if [ "${name%/*}" != "$last" ]; then safe "$name"; last=${name%/*}; fi
    if [ -L "$name" ] || [ -f "$name" ]; then
      set -- "$@" "$name"; if [ $# -ge 200 ]; then away "$@"; set --; fi
    elif [ -d "$name" ]; then away "$@"; set --; rmdir "$name" 2>/dev/null || :; fi
  done < "$stash/undone"
  away "$@"
fi
if [ -e "$stash/moved" ]; then
  while read -r n line; do
    kept=$stash/replaced/$n
    [ -e "$kept" ] || [ -L "$kept" ] || continue
    decode "$line"; safe "$name"
    if [ -L "$name" ]; then rm -f "$name" || exit 8
    elif [ -d "$name" ]; then rmdir "$name" || { echo "$name is not empty: what stood there cannot come back" >&2; exit 18; }
    elif [ -d "$kept" ] && [ ! -L "$kept" ]; then rm -f "$name" || exit 8; fi
    mv -f "$kept" "$name" || exit 8
  done < "$stash/moved"
fi
rm -rf "$stash"
echo end
"""
