#!/usr/bin/env bash
# postal-mime 4.0.0 (npm): in a reply sent as format=flowed, quote marks end up in the middle of lines.
#
# One would guess: RFC 3676 joins "> The prize " and "> is paid." to "> The prize is paid.", since both lines have the same
# quote depth; the marks of the second line go. mailparser 3.14.2 does so.
# What happens: postal-mime joins the lines as they are: "> The prize > is paid.". Lines that are not quoted are joined
# rightly.
# Consequence: quoted text that is shown or searched has marks inside its sentences. Read such replies with mailparser.
#
# Output seen:
#   mailparser: "I agree with you.\n> The prize is paid."
#   postal-mime: "I agree with you.\n> The prize > is paid."
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

const lines = ["From: a@example.com", "Content-Type: text/plain; format=flowed", ""];
lines.push("I agree ", "with you.", "> The prize ", "> is paid.", "");
const message = lines.join("\r\n");

const mailparser = (await simpleParser(message)).text.trimEnd();
console.log(`mailparser: ${JSON.stringify(mailparser)}`);
assert.equal(mailparser, "I agree with you.\n> The prize is paid.");

const postalMime = (await PostalMime.parse(message)).text.trimEnd();
console.log(`postal-mime: ${JSON.stringify(postalMime)}`);
assert.equal(postalMime, "I agree with you.\n> The prize > is paid.", "the behaviour has changed");
NODE
node read.mjs
