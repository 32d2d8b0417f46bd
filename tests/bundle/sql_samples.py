"""Databases in small: every table that a check asks for, and values that are hard to read past."""

from __future__ import annotations

from orchestrator.dump_remarks import TABLES

HARD = "it''s; (a),(b) -- \"x\" `y` /* z */ ü😀 $$ $1$ \\N"  # doubled quotes, as both engines read them
ODD = '"odd ""name"""'
FILLED = ("accounts", "proxies", "schema_migrations", "services", "invoices")
DOMAIN = "apps.rehearsal.example"
HOSTS = (
    f"3scale-admin.{DOMAIN}", f"3scale.{DOMAIN}", f"api-3scale-apicast-production.{DOMAIN}",
    f"api-3scale-apicast-staging.{DOMAIN}", f"master.{DOMAIN}",
)  # fmt: skip

# The master, a provider, and a developer whose domain is of no route.
ACCOUNTS = f"""
INSERT INTO accounts (id, org_name, master, provider, domain, self_domain) VALUES
  (1, 'Master', TRUE, FALSE, 'master.{DOMAIN}', 'master.{DOMAIN}'),
  (2, '{{hard}}', FALSE, TRUE, '3scale.{DOMAIN}', '3scale-admin.{DOMAIN}'),
  (3, 'Developer', FALSE, FALSE, 'developer.example.com', NULL), (4, 'None', NULL, NULL, NULL, NULL);
INSERT INTO proxies (id, endpoint, sandbox_endpoint) VALUES
  (1, 'https://api-3scale-apicast-production.{DOMAIN}:443', 'https://api-3scale-apicast-staging.{DOMAIN}:443/path?x=1'),
  (2, NULL, '');
INSERT INTO schema_migrations VALUES ('20230101000000'), ('20240909000000'), ('20150101000000');
INSERT INTO services (id) VALUES (1), (2), (3);
"""


def empty_tables(part: str) -> str:
    return "".join(f"CREATE TABLE {table} (id int);\n" for table in TABLES[part] if table not in FILLED)


MYSQL = f"""
CREATE TABLE accounts (id bigint PRIMARY KEY, org_name varchar(255), master tinyint(1), provider tinyint(1),
                       domain varchar(255), self_domain varchar(255));
CREATE TABLE proxies (id bigint, sandbox_endpoint varchar(255), endpoint varchar(255));
CREATE TABLE schema_migrations (version varchar(255)) COMMENT 'it''s; (x)';
CREATE TABLE services (id bigint, `odd ``name``` int DEFAULT NULL);
CREATE TABLE invoices (id bigint, friendly_id varchar(255) DEFAULT 'x;y');
{empty_tables("system-database")}
{ACCOUNTS.replace("{hard}", HARD.replace(chr(92), chr(92) * 2))}
CREATE VIEW live AS SELECT id FROM accounts;
DELIMITER ;;
CREATE TRIGGER invoices_tenant BEFORE INSERT ON invoices FOR EACH ROW BEGIN
  -- it's; a comment with one quote
  # and one more: '
  SET NEW.friendly_id = ';;'; /* ' */
END;;
CREATE PROCEDURE sp_invoices_friendly_id() BEGIN SELECT 'INSERT INTO `accounts` VALUES (1);'; END;;
DELIMITER ;
"""

POSTGRESQL = f"""
CREATE TABLE accounts (id bigint PRIMARY KEY, org_name varchar(255), master boolean, provider boolean,
                       domain varchar(255), self_domain varchar(255));
CREATE TABLE proxies (id bigint, sandbox_endpoint varchar(255), endpoint varchar(255));
CREATE TABLE schema_migrations (version varchar(255));
CREATE TABLE services (id bigint, {ODD} int);
CREATE TABLE invoices (id bigint, friendly_id varchar(255) DEFAULT 'x;y');
{empty_tables("system-database")}
{ACCOUNTS.replace("{hard}", HARD)}
CREATE FUNCTION tenant() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN
  -- it's; a comment with one quote
  RAISE NOTICE '$$ ; COPY public.accounts (id) FROM stdin;
9
\\.
'; RETURN NEW; END; $body$;
CREATE TRIGGER invoices_tenant BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION tenant();
"""

ZYNC = f"""
CREATE SCHEMA que;
CREATE TABLE que."odd table" (id int);
INSERT INTO que."odd table" SELECT generate_series(1, 1000);
{"".join(f"CREATE TABLE {table} (id bigint, body text);" for table in TABLES["zync"])}
INSERT INTO entries VALUES (1, '{HARD}'), (2, E'tab\\t newline\\n return\\r'), (3, '\\.'), (4, E'\\n\\\\.\\n'), (5, NULL), (6, '');
INSERT INTO que_jobs SELECT i, '(' || i || '),(' FROM generate_series(1, 5000) AS i;
ALTER TABLE entries OWNER TO zync;
"""
