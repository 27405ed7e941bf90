#!/usr/bin/env bash
# drizzle-orm 0.45.4: rows that are read by `with:` lose digits of decimals and of 64-bit integers.
#
# One would guess: numeric comes as an exact text, and bigint({ mode: "bigint" }) as an exact BigInt, however the row is
# read. db.select() and the outer rows of db.query do so.
# What happens: PostgreSQL sends nested rows as JSON, and JavaScript's JSON.parse makes doubles of its numbers. Only then
# are they turned into text and BigInt, so the types are right and the last digits wrong.
# Consequence: sums of nested amounts, and ids beyond 2**53 in nested rows, are silently other ones. Select the columns
# of money and big ids in a query of their own, or cast them to text in `extras`.
#
# Output seen:
#   outer row:  { wagered: '12345678901.12345678', externalId: 9007199254740993n }
#   nested row: { wagered: '12345678901.123457', externalId: 9007199254740992n }
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$folder"
npm install --silent --no-fund --no-audit drizzle-orm@0.45.4 @electric-sql/pglite@0.5.17 >/dev/null
cat > shown.mjs <<'JS'
import assert from "node:assert/strict";
import { PGlite } from "@electric-sql/pglite";
import { relations } from "drizzle-orm";
import { bigint, integer, numeric, pgTable } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/pglite";

const races = pgTable("races", { id: integer("id").primaryKey() });
const entries = pgTable("entries", {
  raceId: integer("race_id").references(() => races.id),
  wagered: numeric("wagered", { precision: 28, scale: 8 }),
  externalId: bigint("external_id", { mode: "bigint" }),
});
const schema = {
  races,
  entries,
  raceRelations: relations(races, ({ many }) => ({ entries: many(entries) })),
  entryRelations: relations(entries, ({ one }) => ({
    race: one(races, { fields: [entries.raceId], references: [races.id] }),
  })),
};

const client = new PGlite();
await client.exec(`
  CREATE TABLE races (id integer PRIMARY KEY);
  CREATE TABLE entries (race_id integer REFERENCES races, wagered numeric(28, 8), external_id bigint);
  INSERT INTO races VALUES (1);
  INSERT INTO entries VALUES (1, 12345678901.12345678, 9007199254740993);
`);
const db = drizzle(client, { schema });
const columns = { wagered: true, externalId: true };
const outer = await db.query.entries.findFirst({ columns });
const nested = (await db.query.races.findFirst({ with: { entries: { columns } } })).entries[0];
console.log("outer row: ", outer);
console.log("nested row:", nested);
assert.deepEqual(outer, { wagered: "12345678901.12345678", externalId: 9007199254740993n }, "the behaviour has changed");
assert.deepEqual(nested, { wagered: "12345678901.123457", externalId: 9007199254740992n }, "the behaviour has changed");
JS
node shown.mjs
