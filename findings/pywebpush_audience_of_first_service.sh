#!/usr/bin/env bash
# pywebpush 2.5.0: a second push service gets a token that is signed for the first one.
#
# One would guess: webpush(…, vapid_claims={"sub": …}) signs a token for the service of this subscription, each time.
# What happens: audience and expiry are written into the caller's dictionary. When it is used again, an expiry that has
# passed is renewed, but the audience stays: every later service gets that of the first one.
# Consequence: a loop over subscriptions with one dictionary works for the first service only; the others answer 401 or
# 403, and who removes such subscriptions loses them. Pass a new dictionary each time.
#
# Output seen:
#   https://push.example.com is sent the audience https://push.example.com
#   https://push.example.net is sent the audience https://push.example.com
#   the caller's dictionary has now: aud, exp, sub
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check pywebpush==2.5.0 py-vapid==1.9.6
cd "$folder"
bin/python - <<'PYTHON'
import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid
from pywebpush import webpush


class Session:
    """Keeps what would be sent."""

    def post(self, url, headers, **_):
        self.authorization = next(value for name, value in headers.items() if name.lower() == "authorization")
        return type("Answer", (), {"status_code": 201, "text": "", "headers": {}})


def text(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


vapid, claims, session = Vapid(), {"sub": "mailto:push@example.org"}, Session()
vapid.generate_keys()
sent = []
for service in ("https://push.example.com", "https://push.example.net"):
    browser = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = browser.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    subscription = {"endpoint": f"{service}/1", "keys": {"p256dh": text(point), "auth": text(bytes(16))}}
    webpush(subscription, "hello", vapid_private_key=vapid, vapid_claims=claims, requests_session=session)
    payload = session.authorization.partition("t=")[2].split(".")[1]
    sent.append(json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"])
    print(f"{service} is sent the audience {sent[-1]}")
print("the caller's dictionary has now:", ", ".join(sorted(claims)))
assert sent == ["https://push.example.com"] * 2, "the behaviour has changed"
PYTHON
