#!/usr/bin/env bash
# mailparser 3.14.2 (npm): a message whose Date it cannot read is dated at the moment of reading.
#
# One would guess: the parsed date is absent, as it is for a message without a Date header, or an invalid Date.
# What happens: "Date: 7. Dezember 2026 10:00", as some programs write it in the sender's language, gives the present
# time, and differs with each reading. postal-mime 4.0.0 returns the header's text.
# Consequence: an old message that is imported or read again looks new: sorted first, counted for today, answered again.
# Compare with the header line (headerLines) before trusting the date.
#
# Output seen:
#   "Mon, 07 Dec 2026 10:00:00 +0100": 2026-12-07T09:00:00.000Z
#   no Date header: undefined
#   "7. Dezember 2026 10:00": within a second of the present time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund mailparser@3.14.2 postal-mime@4.0.0
cat >read.mjs <<'NODE'
import assert from "node:assert/strict";
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const message = (date) => `From: a@example.com\r\n${date === undefined ? "" : `Date: ${date}\r\n`}\r\nHello\r\n`;
const read = async (date) => (await simpleParser(message(date))).date;

const wellFormed = await read("Mon, 07 Dec 2026 10:00:00 +0100");
console.log(`"Mon, 07 Dec 2026 10:00:00 +0100": ${wellFormed.toISOString()}`);
assert.equal(wellFormed.toISOString(), "2026-12-07T09:00:00.000Z");

const absent = await read(undefined);
console.log(`no Date header: ${absent}`);
assert.equal(absent, undefined);

const local = "7. Dezember 2026 10:00";
const unreadable = await read(local);
assert.ok(Math.abs(unreadable - Date.now()) < 1000, "the behaviour has changed");
console.log(`"${local}": within a second of the present time`);
assert.equal((await PostalMime.parse(message(local))).date, local);
NODE
node read.mjs
