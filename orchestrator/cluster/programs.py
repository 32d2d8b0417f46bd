"""What a job may run in a pod: a closed list of constant sh texts. The pod's own clients do the work.

Values are arguments. A database's name may hold letters, digits and _ . - only, a mark these, / and
spaces: anything else is refused in words, so none of them can end a literal. RUN is the job's directory of
this run: `input` names the process that reads the input, `done` how much of it was read.

A mark tells what a load of ours has made of a database: "MARK loading SHA256", then "MARK loaded SHA256",
"MARK returning -" and "MARK returned -" for the way back. The second of each is written by the last
statement of the very session that loads, so it stands only when everything before it went through.

    MySQL        a row of restore_marks.marks, which a dump of the database does not touch
    PostgreSQL   the database's comment, as restore:MARK…, in the transaction that loads

What stood there before, a comment or the mark of an earlier run, is kept after a tab; taking a mark away
brings it back. Of a dump by pg_dumpall only the sections of one database are run: neither roles nor
settings of the whole server are touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.effects import Program

COMMON: Final = r"""
umask 077
export LC_ALL=C
job=${RUN%/*}
fail() { code=$1; shift; echo "$*" >&2; exit "$code"; }
name() { case $1 in ''|*[!A-Za-z0-9_.-]*) fail 14 "the name of the database holds a character that is refused";; esac; }
plain() { case $1 in ''|*[!A-Za-z0-9/._' '-]*) fail 14 "a value holds a character that is refused";; esac; }
readable() { [ -f "$1" ] || fail 2 "$1 does not exist"; gzip -t < "$1" || fail 12 "$1 is not a whole gzip file"; }
feed() { gzip -dc < "$1" & reader=$!; echo "$reader" > "$RUN/input"; wait "$reader"; }
finished() { echo $(($(wc -c < "$1"))) > "$RUN/done"; }
keep() { sync "$1" 2>/dev/null || sync; mv "$1" "$2"; }
absent() { [ ! -e "$1" ] || fail 17 "$1 exists already, and what was there first is kept"; }
# dumped TRAILER TARGET: what the dump program wrote is whole
dumped() {
  read -r code < "$RUN/dumped"; [ "$code" = 0 ] || { rm -f "$2.part"; exit "$code"; }
  case "$(gzip -dc < "$2.part" | tail -c 400)" in *"$1"*) ;; *) rm -f "$2.part"; fail 12 "the dump has no end";; esac
  keep "$2.part" "$2" || exit 8
}
"""

MYSQL: Final = COMMON + r"""
MYSQL_PWD=${MYSQL_ROOT_PASSWORD-}; export MYSQL_PWD
ask() { mysql -uroot -N "$@"; }
load() { mysql -uroot --binary-mode --default-character-set=utf8mb4 "$@"; }
marked() { cat <<SQL
INSERT INTO restore_marks.marks (name, mark) VALUES ('$database', '$mark $1') ON DUPLICATE KEY UPDATE mark =
CONCAT_WS(CHAR(9), '$mark $1', IF(LEFT(mark, CHAR_LENGTH('$mark ')) = '$mark ',
IF(LOCATE(CHAR(9), mark) > 0, SUBSTRING(mark, LOCATE(CHAR(9), mark) + 1), NULL), mark));
SQL
}
begin() { { cat <<'SQL'
CREATE DATABASE IF NOT EXISTS restore_marks;
CREATE TABLE IF NOT EXISTS restore_marks.marks (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, mark TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin);
SQL
marked "$1"; } | ask || exit; }
ended() {
  now=$(echo "SELECT SUBSTRING_INDEX(mark, CHAR(9), 1) FROM restore_marks.marks WHERE name = '$database';" | ask) || exit
  [ ! -e "$RUN/broken" ] && [ "$now" = "$mark $1" ] || fail 12 "the dump did not come through to its end"
}
"""

# staged database mark sha256
LOAD_MYSQL: Final = MYSQL + r"""
staged=$1 database=$2 mark=$3 sha=$4
name "$database"; plain "$mark"; plain "$sha"; readable "$staged"
begin "loading $sha"
{ if feed "$staged"; then printf '\n'; marked "loaded $sha"; else : > "$RUN/broken"; fi; } | load "$database" || exit
ended "loaded $sha"
finished "$staged"; rm -f "$staged"
"""

# safety database mark
RETURN_MYSQL: Final = MYSQL + r"""
safety=$1 database=$2 mark=$3
name "$database"; plain "$mark"; readable "$safety"
begin "returning -"
{ if feed "$safety"; then printf '\n'; marked "returned -"; else : > "$RUN/broken"; fi; } | load || exit
ended "returned -"
finished "$safety"
"""

# database target
DUMP_MYSQL: Final = MYSQL + r"""
database=$1 target=$2
name "$database"; absent "$target"
{ mysqldump -uroot --single-transaction --routines --triggers --events --hex-blob --default-character-set=utf8mb4 \
    --add-drop-database --databases "$database"; echo "$?" > "$RUN/dumped"; } | gzip -c > "$target.part" || fail 8 "$target.part cannot be written"
dumped '-- Dump completed' "$target"
"""

POSTGRESQL: Final = COMMON + r"""
[ -n "${PGUSER-}" ] || ! id postgres >/dev/null 2>&1 || { PGUSER=postgres; export PGUSER; }
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v restore_db="$database" -v restore_top="restore:$mark " "$@"; }
# Lines that only a newer psql knows, and the \connect that names a database which is chosen here.
restrict='/^\\restrict [A-Za-z0-9]*$/d;/^\\unrestrict [A-Za-z0-9]*$/d'
filtered() { file=$1; shift; { feed "$file" || : > "$RUN/broken"; } | sed "$@" && [ ! -e "$RUN/broken" ]; }
# What the comment holds below a mark of ours.
below="CASE WHEN left(c, length(:'restore_top')) = :'restore_top' THEN CASE WHEN position(chr(9) IN c) > 0 THEN substr(c, position(chr(9) IN c) + 1) END ELSE c END"
comment="(SELECT datname, encoding, datcollate, datctype, shobj_description(oid, 'pg_database') AS c FROM pg_database WHERE datname = :'restore_db') AS d"
marked() { printf '%s\n' "RESET SESSION AUTHORIZATION; RESET ROLE; SELECT format('COMMENT ON DATABASE %I IS %L', datname, concat_ws(chr(9), :'restore_text', $below)) FROM $comment \gexec"; }
others="SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'restore_db' AND pid <> pg_backend_pid();"
# insist COMMAND: others may still be connected, or connect again; their end takes a moment
insist() { tries=0; until "$@"; do tries=$((tries+1)); [ "$tries" -lt 8 ] || fail 16 "database $database cannot be dropped"; sleep 1; done; }
ended() {
  now=$(echo "SELECT split_part(c, chr(9), 1) FROM $comment;" | sql -d postgres) || exit
  [ ! -e "$RUN/broken" ] && [ "$now" = "restore:$mark $1" ] || fail 12 "the dump did not come through to its end"
}
"""

# staged database owner flavour mark sha256. The new database gets encoding and locale of the one it replaces,
# which are kept in the job's directory before that one is dropped.
LOAD_POSTGRESQL: Final = POSTGRESQL + r"""
staged=$1 database=$2 owner=$3 flavour=$4 mark=$5 sha=$6
name "$database"; plain "$mark"; plain "$sha"; readable "$staged"
sections() {
  gzip -dc < "$staged" | sed -n -e '/^\\connect /{=;p;}' -e '/^-- PostgreSQL database dump complete/{=;p;}' > "$RUN/sections"
  from= ranges= names=
  until_line() { if [ -n "$from" ] && [ "$from" -le "$1" ]; then ranges="$ranges$from,$1p;"; fi; from=; }
  while read -r line && IFS= read -r text; do
    until_line $((line-1))
    case $text in '\connect '*) ;; *) continue;; esac
    found=${text#'\connect '}
    case $found in *dbname=\'*) found=${found#*\'}; found=${found%\'*};; \"*) found=${found#\"}; found=${found%\"};; esac
    names="$names $found"
    if [ "$found" = "$database" ]; then from=$((line+1)); fi
  done < "$RUN/sections"
  [ -z "$from" ] || ranges="$ranges$from,\$p;"
  [ -n "$ranges" ] || fail 13 "the dump holds no database $database; it holds:$names"
}
case $flavour in pg_dumpall) sections;; pg_dump) ranges='1,$p;';; *) fail 14 "no such flavour of a dump";; esac
look() { echo "SELECT concat_ws('|', pg_encoding_to_char(encoding), datcollate, datctype, encode(convert_to(coalesce($below, ''), 'UTF8'), 'hex')) FROM $comment;" | sql -d postgres; }
now=$(look) || exit
if [ -n "$now" ]; then printf '%s\n' "$now" > "$job/$database.new" && mv "$job/$database.new" "$job/$database.before" || exit 8; fi
encoding= collate= ctype= old=
[ ! -e "$job/$database.before" ] || IFS='|' read -r encoding collate ctype old < "$job/$database.before"
told() { printf '%s\n' "SELECT format('COMMENT ON DATABASE %I IS %L', :'restore_db', concat_ws(chr(9), :'restore_text', nullif(convert_from(decode(:'restore_old', 'hex'), 'UTF8'), ''))) \gexec"; }
drop() { printf '%s\n' "$others" 'DROP DATABASE IF EXISTS :"restore_db";' | sql -d postgres; }
insist drop
{ printf '%s\n' "SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0', :'restore_db', :'restore_owner') || CASE WHEN :'encoding' <> '' THEN format(' ENCODING %L LC_COLLATE %L LC_CTYPE %L', :'encoding', :'collate', :'ctype') ELSE '' END \gexec"
  told; } | sql -d postgres -v restore_owner="$owner" -v encoding="$encoding" -v collate="$collate" -v ctype="$ctype" \
    -v restore_old="$old" -v restore_text="restore:$mark loading $sha" || exit
{ echo 'BEGIN;'
  if filtered "$staged" -n -e "$restrict" -e "$ranges"; then printf '\nRESET SESSION AUTHORIZATION; RESET ROLE;\n'; told; echo 'COMMIT;'; fi
} | sql -d "$database" -v restore_old="$old" -v restore_text="restore:$mark loaded $sha" || exit
ended "loaded $sha"
finished "$staged"; rm -f "$staged"
"""

# safety database mark. The copy begins with what drops and makes the database; the rest is one transaction.
RETURN_POSTGRESQL: Final = POSTGRESQL + r"""
safety=$1 database=$2 mark=$3
name "$database"; plain "$mark"; readable "$safety"
marked | sql -d postgres -v restore_text="restore:$mark returning -" || exit
remake() { { printf '%s\n' "$others"; filtered "$safety" -e "$restrict" -e '/^\\connect /,$d'; } | sql -d postgres; }
insist remake
marked | sql -d postgres -v restore_text="restore:$mark returning -" || exit
{ echo 'BEGIN;'
  if filtered "$safety" -e "$restrict" -e '1,/^\\connect /d' -e '/^\\connect /d'; then echo; marked; echo 'COMMIT;'; fi
} | sql -d "$database" -v restore_text="restore:$mark returned -" || exit
ended "returned -"
finished "$safety"
"""

# database target
DUMP_POSTGRESQL: Final = POSTGRESQL + r"""
database=$1 target=$2
name "$database"; absent "$target"
{ pg_dump --create --clean --if-exists "$database"; echo "$?" > "$RUN/dumped"; } | gzip -c > "$target.part" || fail 8 "$target.part cannot be written"
dumped '-- PostgreSQL database dump complete' "$target"
"""

# task…
RAKE: Final = r"""
[ ! -d /opt/system ] || cd /opt/system || exit 8
exec bundle exec rake "$@"
"""

PROGRAMS: Final[Mapping[Program, str]] = {
    "load-mysql": LOAD_MYSQL,
    "load-postgresql": LOAD_POSTGRESQL,
    "dump-mysql": DUMP_MYSQL,
    "dump-postgresql": DUMP_POSTGRESQL,
    "return-mysql": RETURN_MYSQL,
    "return-postgresql": RETURN_POSTGRESQL,
    "rake": RAKE,
}
