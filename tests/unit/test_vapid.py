"""The tokens of VAPID, verified by RFC 7515 and RFC 8292 without the library that signs them."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from goatedvips.clients.vapid import Signer
from goatedvips.push_services import decode_base64url, encode_base64url, is_public_key
from tools.vapid_keys import generate

NOON = datetime(2026, 12, 3, 12, tzinfo=UTC)
KEYS = [encode_base64url(number.to_bytes(32)) for number in (1, 7, 2**255)]


def claims(authorization: str, public_key: str) -> dict[str, object]:
    """The claims of a header whose signature is of this key."""
    scheme, _, parameters = authorization.partition(" ")
    given = dict(part.strip().split("=", 1) for part in parameters.split(","))
    assert (scheme, given["k"]) == ("vapid", public_key)
    signed, _, signature = given["t"].rpartition(".")
    octets = decode_base64url(signature)
    assert len(octets) == 64
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode_base64url(public_key))
    pair = utils.encode_dss_signature(int.from_bytes(octets[:32]), int.from_bytes(octets[32:]))
    key.verify(pair, signed.encode(), ec.ECDSA(SHA256()))
    head, payload = (json.loads(decode_base64url(part)) for part in signed.split("."))
    assert head == {"typ": "JWT", "alg": "ES256"}
    found: dict[str, object] = payload
    return found


@pytest.mark.parametrize("private_key", KEYS)
def test_a_token_is_for_one_service_and_ends_within_a_day(private_key: str) -> None:
    signer = Signer(private_key, "GoatedVIPs <hello@goatedvips.example>")
    assert is_public_key(decode_base64url(signer.public_key))
    for origin in ("https://fcm.googleapis.com", "https://web.push.apple.com"):
        found = claims(signer.authorize(origin, NOON), signer.public_key)
        assert found == {
            "aud": origin,
            "exp": (NOON + timedelta(hours=12)).timestamp(),
            "sub": "mailto:hello@goatedvips.example",
        }


@pytest.mark.parametrize(
    ("mailbox", "contact"),
    [
        ("hello@goatedvips.example", "mailto:hello@goatedvips.example"),
        ("Goated, VIPs <a.b+push@mail.goatedvips.example>", "mailto:a.b+push@mail.goatedvips.example"),
        ('"<x>" <o\'neil@goatedvips.example>', "mailto:o%27neil@goatedvips.example"),
    ],
)
def test_a_service_can_reach_who_sends(mailbox: str, contact: str) -> None:
    signer = Signer(KEYS[1], mailbox)
    assert claims(signer.authorize("https://web.push.apple.com", NOON), signer.public_key)["sub"] == contact


@pytest.mark.parametrize(
    "private_key",
    ["", "BCVx", KEYS[1] + "AAAA", "+" * 43, encode_base64url(bytes(32)), encode_base64url(b"\xff" * 32)],
)
def test_what_is_no_private_key_is_refused(private_key: str) -> None:
    with pytest.raises(ValueError, match=r"32 bytes|base64url|private|key|curve"):
        Signer(private_key, "hello@goatedvips.example")


def test_a_new_pair_has_the_form_that_other_libraries_take() -> None:
    """Node's web-push refuses other lengths, and padding."""
    (public, private), other = generate(), generate()
    assert [len(decode_base64url(part)) for part in (public, private)] == [65, 32]
    assert [len(part) for part in (public, private)] == [87, 43]  # without padding
    assert Signer(private, "a@b.example").public_key == public
    assert other != (public, private)
    shown = subprocess.run(
        [sys.executable, "-m", "tools.vapid_keys"], capture_output=True, text=True, check=True
    ).stdout
    printed = dict(re.findall(r"^(Public|Private) key +([\w-]+)$", shown, re.MULTILINE))
    assert Signer(printed["Private"], "").public_key == printed["Public"]
