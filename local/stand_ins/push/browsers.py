"""Browsers that this machine plays: they subscribe as a browser does, and read what is sent to them.

The keys of a browser follow from its endpoint, so messages can be read after a restart too.
"""

import hashlib
import hmac
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from goatedvips.push_services import encode_base64url

ENDPOINTS = "https://fcm.googleapis.com/fcm/send/"
KEY_AT, TEXT_AT = 21, 86  # where in a message the sender's key and the encrypted text begin


def subscribe() -> dict[str, Any]:
    """Return a new push subscription, as `PushSubscription.toJSON()` of a browser does."""
    endpoint = f"{ENDPOINTS}{secrets.token_urlsafe(24)}"
    _, public_key, auth = _make_keys(endpoint)
    return {"endpoint": endpoint, "keys": {"p256dh": encode_base64url(public_key), "auth": encode_base64url(auth)}}


def read(endpoint: str, body: bytes) -> Any:  # noqa: ANN401  any JSON value
    """Return the JSON document in a message (RFC 8291, section 3); None if it is for another browser than ours."""
    private_key, public_key, auth = _make_keys(endpoint)
    salt, sender_key = body[:16], body[KEY_AT:TEXT_AT]
    try:
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender_key)
        shared = _derive(
            auth, private_key.exchange(ec.ECDH(), sender), b"WebPush: info\0" + public_key + sender_key, 32
        )
        content_key = _derive(salt, shared, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _derive(salt, shared, b"Content-Encoding: nonce\0", 12)
        text = AESGCM(content_key).decrypt(nonce, body[TEXT_AT:], None).rstrip(b"\0")
        return json.loads(text.removesuffix(b"\2"))
    except (InvalidTag, ValueError):
        return None


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """Return the first octets of HKDF with SHA-256 (RFC 5869); one block of it has enough."""
    return hmac.digest(hmac.digest(salt, secret, "sha256"), info + b"\1", "sha256")[:length]


def _make_keys(endpoint: str) -> tuple[ec.EllipticCurvePrivateKey, bytes, bytes]:
    """Return private key, public key and authentication secret of the browser of an endpoint."""
    number = int.from_bytes(hashlib.sha256(f"key {endpoint}".encode()).digest())
    private_key = ec.derive_private_key(number, ec.SECP256R1())
    public_key = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return private_key, public_key, hashlib.sha256(f"auth {endpoint}".encode()).digest()[:16]
