#!/usr/bin/env bash
# drizzle-orm 0.45.4 on Node: the timestamp `infinity` is read as the first of January 2000.
#
# One would guess: a value that a Date cannot hold raises, or is an invalid Date, as it is in a column with time zone.
# What happens: for `timestamp` the text of PostgreSQL gets "+0000" behind it and is given to `new Date`. V8 reads
# "infinity+0000" as a date with the year 0000, which it takes for 2000. `-infinity` is read as the same.
# Consequence: "never expires", written by another program, has expired long ago. Keep `infinity` out of tables that a
# Drizzle application reads (a CHECK with isfinite), and use NULL.
#
# Output seen:
#   timestamp infinity:                2000-01-01T00:00:00.000Z
#   timestamp -infinity:               2000-01-01T00:00:00.000Z
#   timestamp with time zone infinity: Invalid Date
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$folder"
npm install --silent --no-fund --no-audit drizzle-orm@0.45.4 @electric-sql/pglite@0.5.17 >/dev/null
cat > shown.mjs <<'JS'
import assert from "node:assert/strict";
import { PGlite } from "@electric-sql/pglite";
import { pgTable, timestamp } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/pglite";

const codes = pgTable("codes", {
  expiresAt: timestamp("expires_at"),
  startedAt: timestamp("started_at"),
  zonedAt: timestamp("zoned_at", { withTimezone: true }),
});
const client = new PGlite();
await client.exec(`
  CREATE TABLE codes (expires_at timestamp, started_at timestamp, zoned_at timestamptz);
  INSERT INTO codes VALUES ('infinity', '-infinity', 'infinity');
`);
const [row] = await drizzle(client).select().from(codes);
const shown = (date) => (Number.isNaN(date.getTime()) ? "Invalid Date" : date.toISOString());
console.log("timestamp infinity:               ", shown(row.expiresAt));
console.log("timestamp -infinity:              ", shown(row.startedAt));
console.log("timestamp with time zone infinity:", shown(row.zonedAt));
assert.equal(shown(row.expiresAt), "2000-01-01T00:00:00.000Z", "the behaviour has changed");
assert.equal(shown(row.startedAt), "2000-01-01T00:00:00.000Z", "the behaviour has changed");
assert.equal(shown(row.zonedAt), "Invalid Date", "the behaviour has changed");
JS
node shown.mjs
