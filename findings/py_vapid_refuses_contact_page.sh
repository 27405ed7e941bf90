#!/usr/bin/env bash
# py-vapid 1.9.6: the contact of a push sender may be a site, but not a page of it; the refusal says that it is missing.
#
# One would guess: RFC 8292 asks for a mailto: or https: URI in "sub", so https://example.com/contact serves. Node's
# web-push 3.6.7 takes it.
# What happens: https://example.com is signed. With a path, sign() raises VapidException("Missing 'sub' from claims ...").
# So does an audience with the slash that a URL parser may put at its end: it is reported as missing too.
# Consequence: claims that work in Node fail in Python, and the message sends one looking for a claim that is there.
#
# Output seen:
#   sub https://example.com, aud https://push.example: signed
#   sub https://example.com/contact, aud https://push.example: Missing 'sub' from claims
#   sub https://example.com, aud https://push.example/: Missing 'aud' from claims
#   web-push, sub https://example.com/contact: signed
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check py-vapid==1.9.6
"$folder/bin/python" - <<'PYTHON'
from py_vapid import Vapid02, VapidException

vapid = Vapid02()
vapid.generate_keys()


def sign(sub, aud):
    try:
        return "signed" if "Authorization" in vapid.sign({"sub": sub, "aud": aud}) else "not signed"
    except VapidException as error:
        return str(error).split(".")[0]


expected = {
    ("https://example.com", "https://push.example"): "signed",
    ("https://example.com/contact", "https://push.example"): "Missing 'sub' from claims",
    ("https://example.com", "https://push.example/"): "Missing 'aud' from claims",
}
for (sub, aud), outcome in expected.items():
    print(f"sub {sub}, aud {aud}: {sign(sub, aud)}")
    assert sign(sub, aud) == outcome, "the behaviour has changed"
PYTHON

cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund web-push@3.6.7
node - <<'NODE'
const push = require("web-push");
const { publicKey, privateKey } = push.generateVAPIDKeys();
const headers = push.getVapidHeaders("https://push.example", "https://example.com/contact", publicKey, privateKey, "aes128gcm");
if (!headers.Authorization.startsWith("vapid t=")) throw new Error("the behaviour has changed");
console.log("web-push, sub https://example.com/contact: signed");
NODE
