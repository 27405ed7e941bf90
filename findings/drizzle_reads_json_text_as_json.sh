#!/usr/bin/env bash
# drizzle-orm 0.45.4: a text in a jsonb column is parsed once more when it is read.
#
# One would guess: what is written into a jsonb column is read as it was: the string "1e5" is the string "1e5".
# What happens: the driver already returns parsed JSON, and Drizzle parses every string among it again. "1e5" becomes
# the number 100000, "true" a boolean, "null" null, and a string that is a JSON document becomes that document. Only text
# that is no JSON stays. Strings inside of objects and arrays stay as well.
# Consequence: a note, code or label that stands alone in a jsonb column changes its type and loses its digits; written
# back, the change is kept. Wrap single values into an object.
#
# Output seen:
#   "1e5" is read as 100000
#   "true" is read as true
#   "{\"rank\": 1}" is read as { rank: 1 }
#   "007" is read as '007'
#   { code: "1e5" } is read as { code: '1e5' }
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$folder"
npm install --silent --no-fund --no-audit drizzle-orm@0.45.4 @electric-sql/pglite@0.5.17 >/dev/null
cat > shown.mjs <<'JS'
import assert from "node:assert/strict";
import { PGlite } from "@electric-sql/pglite";
import { jsonb, pgTable } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/pglite";

const notes = pgTable("notes", { value: jsonb("value") });
const client = new PGlite();
await client.exec("CREATE TABLE notes (value jsonb)");
const db = drizzle(client);

const expected = [
  ["1e5", 100000],
  ["true", true],
  ['{"rank": 1}', { rank: 1 }],
  ["007", "007"],
  [{ code: "1e5" }, { code: "1e5" }],
];
for (const [written, read] of expected) {
  await db.delete(notes);
  await db.insert(notes).values({ value: written });
  const [{ kind }] = (await client.query("SELECT jsonb_typeof(value) AS kind FROM notes")).rows;
  assert.equal(kind, typeof written, "it was written otherwise");
  const [{ value }] = await db.select().from(notes);
  const text = typeof written === "string" ? JSON.stringify(written) : '{ code: "1e5" }';
  console.log(`${text} is read as`, typeof value === "string" ? `'${value}'` : value);
  assert.deepEqual(value, read, "the behaviour has changed");
}
JS
node shown.mjs
