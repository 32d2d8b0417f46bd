"""The sh scripts that look into SQL databases through the pod's own client. They write nothing but ForgetMark's.

Names come as arguments and are checked before they stand in a statement: letters, digits and _ . - only.
Exit code 7 says that the client failed; its words are on stderr.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.effects import Engine

CLIENT_FAILED: Final = 7

COMMON: Final = r"""
export LC_ALL=C
database=$1; shift
for n in "$database" "$@"; do
  case $n in ''|*[!A-Za-z0-9_.-]*) echo "a name holds a character that is refused" >&2; exit 14;; esac
done
line='
'
"""
MYSQL: Final = COMMON + r"""
MYSQL_PWD=${MYSQL_ROOT_PASSWORD-}; export MYSQL_PWD
ask() { mysql -uroot -N -r --default-character-set=utf8mb4 "$@" || exit 7; }
"""
POSTGRESQL: Final = COMMON + r"""
[ -n "${PGUSER-}" ] || ! id postgres >/dev/null 2>&1 || { PGUSER=postgres; export PGUSER; }
ask() { psql -X -q -A -t -F "$(printf '\t')" -v ON_ERROR_STOP=1 -v db="$database" "$@" || exit 7; }
"""

# database -> "1 tables connections" or "0 0 0"; then the mark
DATABASE: Final[Mapping[Engine, str]] = {
    "mysql": MYSQL + r"""
line=$(ask <<SQL
SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '$database'),
 (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$database' AND TABLE_TYPE = 'BASE TABLE'),
 (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '$database' AND ID <> CONNECTION_ID()),
 (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'restore_marks' AND TABLE_NAME = 'marks'));
SQL
) || exit 7
echo "${line% *}"
if [ "${line##* }" = 1 ]; then echo "SELECT SUBSTRING_INDEX(mark, CHAR(9), 1) FROM restore_marks.marks WHERE name = '$database';" | ask || exit 7; fi
echo; echo end
""",
    "postgresql": POSTGRESQL + r"""
line=$(ask -d postgres <<'SQL'
SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = :'db' AND pid <> pg_backend_pid() AND backend_type = 'client backend'),
 CASE WHEN c LIKE 'restore:%' THEN substr(split_part(c, chr(9), 1), 9) ELSE '' END
 FROM (SELECT shobj_description(oid, 'pg_database') AS c FROM pg_database WHERE datname = :'db') AS d;
SQL
) || exit 7
if [ -z "$line" ]; then echo 0 0 0; echo; echo end; exit 0; fi
tables=$(ask -d "$database" <<'SQL'
SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
 WHERE relkind IN ('r', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\_t%';
SQL
) || exit 7
tab=$(printf '\t')
echo "1 $tables ${line%%"$tab"*}"; echo "${line#*"$tab"}"; echo end
""",
}

# database table… -> "table<tab>rows" for each that is there; PostgreSQL's outside of `public` as schema.table
ROW_COUNTS: Final[Mapping[Engine, str]] = {
    "mysql": MYSQL + r"""
there=$(echo "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$database';" | ask) || exit 7
for t in "$@"; do
  case "$line$there$line" in *"$line$t$line"*) printf "SELECT '%s', COUNT(*) FROM \`%s\`.\`%s\`;\n" "$t" "$database" "$t";; esac
done | ask || exit 7
echo end
""",
    "postgresql": POSTGRESQL + r"""
there=$(echo "SELECT CASE nspname WHEN 'public' THEN relname ELSE nspname || '.' || relname END FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p');" | ask -d "$database") || exit 7
for t in "$@"; do
  q="public\".\"$t"; case $t in *.*) q="${t%%.*}\".\"${t#*.}";; esac
  case "$line$there$line" in *"$line$t$line"*) printf "SELECT '%s', count(*) FROM \"%s\";\n" "$t" "$q";; esac
done | ask -d "$database" || exit 7
echo end
""",
}

# database: takes away the mark that is on top; what stood there before it comes back
FORGET: Final[Mapping[Engine, str]] = {
    "mysql": MYSQL + r"""
there=$(echo "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'restore_marks' AND TABLE_NAME = 'marks';" | ask) || exit 7
[ "$there" = 1 ] || { echo end; exit 0; }
left=$(ask <<SQL
DELETE FROM restore_marks.marks WHERE name = '$database' AND LOCATE(CHAR(9), mark) = 0;
UPDATE restore_marks.marks SET mark = SUBSTRING(mark, LOCATE(CHAR(9), mark) + 1) WHERE name = '$database';
SELECT COUNT(*) FROM restore_marks.marks;
SQL
) || exit 7
[ "$left" != 0 ] || echo 'DROP DATABASE restore_marks;' | ask || exit 7
echo end
""",
    "postgresql": POSTGRESQL + r"""
ask -d postgres <<'SQL'
SELECT format('COMMENT ON DATABASE %I IS %L', datname, CASE WHEN position(chr(9) IN c) > 0 THEN substr(c, position(chr(9) IN c) + 1) END)
 FROM (SELECT datname, shobj_description(oid, 'pg_database') AS c FROM pg_database WHERE datname = :'db') AS d WHERE c LIKE 'restore:%' \gexec
SQL
echo end
""",
}

# What porta's schema calls the hosts that it answers for; a release may lack a column, so each is asked for by itself.
COLUMNS: Final = r"""
column() { case "$line$there$line" in *"$line$1$line"*) return 0;; esac; return 1; }
lives="state NOT IN ('scheduled_for_deletion', 'deleted')"; column accounts.state || lives='1 = 1'
active="a.state NOT IN ('suspended', 'scheduled_for_deletion', 'deleted')"; column accounts.state || active='1 = 1'
service="1 = 1"; ! column services.state || service="s.state <> 'deleted'"
hosted="1 = 1"; ! column services.deployment_option || hosted="s.deployment_option = 'hosted'"
"""
HOSTS: Final = r"""
who=provider; ! column accounts.master || who='(provider OR master)'
{
for c in domain self_domain; do
  if column "accounts.$c"; then echo "SELECT DISTINCT $c FROM accounts WHERE $who AND $lives AND $c <> '';"; fi
done
for c in endpoint sandbox_endpoint; do
  if column "proxies.$c"; then echo "SELECT DISTINCT p.$c FROM proxies p JOIN services s ON s.id = p.service_id JOIN accounts a ON a.id = s.account_id WHERE $hosted AND $service AND $active AND p.$c <> '';"; fi
done
} | look || exit 7
echo end
"""
SERVICES: Final = r"""
echo "SELECT s.id, COUNT(c.id) FROM services s JOIN accounts a ON a.id = s.account_id LEFT JOIN cinstances c ON c.service_id = s.id WHERE $active AND $service GROUP BY s.id;" | look || exit 7
echo end
"""
MYSQL_COLUMNS: Final = MYSQL + r"""
look() { ask "$database"; }
there=$(echo "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '$database' AND TABLE_NAME IN ('accounts', 'proxies', 'services', 'cinstances');" | ask) || exit 7
""" + COLUMNS
POSTGRESQL_COLUMNS: Final = POSTGRESQL + r"""
look() { ask -d "$database"; }
there=$(echo "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name IN ('accounts', 'proxies', 'services', 'cinstances');" | look) || exit 7
""" + COLUMNS

HOSTS_OF: Final[Mapping[Engine, str]] = {"mysql": MYSQL_COLUMNS + HOSTS, "postgresql": POSTGRESQL_COLUMNS + HOSTS}
SERVICES_OF: Final[Mapping[Engine, str]] = {
    "mysql": MYSQL_COLUMNS + SERVICES, "postgresql": POSTGRESQL_COLUMNS + SERVICES,
}

# -> the service ids, an empty line, the number of applications of each
SERVICES_IN_REDIS: Final = r"""
ids=$(echo 'SMEMBERS services_set' | redis-cli) || exit 7
case $ids in *' '*) printf '%s\n' "$ids" >&2; exit 7;; esac
printf '%s\n\n' "$ids"
[ -z "$ids" ] || printf '%s\n' "$ids" | sed 's|.*|SCARD service_id:&/applications|' | redis-cli || exit 7
echo end
"""
FLUSH: Final = 'redis-cli -n "$1" FLUSHDB'
