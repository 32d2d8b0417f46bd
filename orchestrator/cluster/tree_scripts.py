r"""The sh scripts that look at a directory in a pod, bring a pack of files into it, and take that back.

Names are bytes. Out they go between NULs; in they come as lines with every byte as \0ooo, which `printf %b`
reads back. The scripts work below the root with names that begin with ./ and never follow a link. The
stash, a directory of the root, keeps

    created     the names that a sync was about to make where nothing was
    moved       "N name" of what it was about to set aside, as replaced/N
    pack-…      what travels, until it is unpacked
"""

from __future__ import annotations

from typing import Final

LINK_ON_THE_WAY: Final = 19
NOT_EMPTY: Final = 18

COMMON: Final = r"""
export LC_ALL=C
umask 077
decode() { name=$(printf '%b.' "$1"); name=${name%.}; }
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
MANIFEST: Final = COMMON + r"""
stash=$2
if [ ! -d "$1" ]; then printf 'none\0'; printf '\nend\n'; exit 0; fi
cd "$1" || exit 8
if [ -d "./$stash" ]; then printf 'stash\0'; else printf 'clean\0'; fi
for list in created moved; do
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

# root stash pack lines_bytes skip: unpacks what was brought. A line of the pack: op n mode mtime block size name target;
# op d, l, f or b (a file that came by itself, named in target), n the number under which the old one is set
# aside, or - where there is none.
UNPACK: Final = COMMON + r"""
cd "$1" || exit 8
stash=./$2 pack=./$2/$3 index=./$2/index-$$ new=./$2/new-$$
mkdir -p "$stash/replaced" || exit 8
dd if="$pack" bs=512 count="$5" 2>/dev/null | head -c "$4" > "$index" || exit 8
while read -r op n mode mtime block size name target; do
  if [ "$n" = - ]; then printf '%s\n' "$name" >> "$stash/created"; else printf '%s %s\n' "$n" "$name" >> "$stash/moved"; fi || exit 8
done < "$index"
sync "$stash/created" "$stash/moved" 2>/dev/null || sync
aside() {
  if [ "$n" != - ] && [ ! -e "$stash/replaced/$n" ] && [ ! -L "$stash/replaced/$n" ] && { [ -e "$name" ] || [ -L "$name" ]; }; then
    mv "$name" "$stash/replaced/$n" || exit 8
  fi
  if [ -L "$name" ] || [ -f "$name" ]; then rm -f "$name" || exit 8; fi
  if [ -e "$name" ]; then echo "$name is in the way" >&2; exit 18; fi
}
last=
while read -r op n mode mtime block size name target; do
  decode "$name"
  [ "${name%/*}" = "$last" ] || { safe "$name"; last=${name%/*}; }
  case $op in
    d) [ -d "$name" ] && [ ! -L "$name" ] || { aside; mkdir "$name" || exit 8; }
       chmod "$mode" "$name" 2>/dev/null; continue;;
    l) keep=$name; decode "$target"; to=$name; name=$keep; rm -f "$new"; ln -s -- "$to" "$new" || exit 8;;
    f) dd if="$pack" bs=512 skip="$block" count=$(((size+511)/512)) 2>/dev/null | head -c "$size" > "$new" || exit 8;;
    b) mv "$stash/$target" "$new" || exit 8;;
  esac
  if [ "$op" != l ]; then
    [ "$(($(wc -c < "$new")))" = "$size" ] || { echo "the volume is full" >&2; exit 8; }
    chmod "$mode" "$new" 2>/dev/null; touch -m -d "@$mtime" "$new" 2>/dev/null
  fi
  aside
  mv "$new" "$name" || exit 8
done < "$index"
rm -f "$index" "$pack"
echo end
"""

# root stash: removes what was created, brings back what was set aside, then the stash goes
PUT_BACK: Final = COMMON + r"""
cd "$1" || exit 8
[ -n "$2" ] || exit 8
stash=./$2
[ -d "$stash" ] || { echo end; exit 0; }
if [ -e "$stash/created" ]; then
  sort -r -u "$stash/created" > "$stash/undone" || exit 8
  while read -r line; do
    decode "$line"; safe "$name"
    if [ -L "$name" ] || [ -f "$name" ]; then rm -f "$name" || exit 8
    elif [ -d "$name" ]; then rmdir "$name" 2>/dev/null || :; fi
  done < "$stash/undone"
fi
if [ -e "$stash/moved" ]; then
  while read -r n line; do
    kept=$stash/replaced/$n
    [ -e "$kept" ] || [ -L "$kept" ] || continue
    decode "$line"; safe "$name"
    if [ -L "$name" ] || [ -f "$name" ]; then rm -f "$name" || exit 8
    elif [ -d "$name" ]; then rmdir "$name" || { echo "$name is not empty: what stood there cannot come back" >&2; exit 18; }; fi
    mv "$kept" "$name" || exit 8
  done < "$stash/moved"
fi
rm -rf "$stash"
echo end
"""
