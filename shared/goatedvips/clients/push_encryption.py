"""Encryption of push messages for a browser: RFC 8291, on the content encoding aes128gcm of RFC 8188."""

import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

LONGEST_MESSAGE = 3993
"""Bytes. A push service takes bodies of 4096 bytes (RFC 8030, section 7.2); header, delimiter and tag have 103."""
_RECORD_BYTES = 4096
_SALT_BYTES = 16


def encrypt(
    message: bytes,
    public_key: bytes,
    auth: bytes,
    *,
    sender_key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return the body of a push message, whose `Content-Encoding` is aes128gcm.

    Parameters
    ----------
    public_key: the browser's, an uncompressed point of P-256 (65 bytes).
    auth: the authentication secret of the subscription (16 bytes).
    sender_key, salt: those of an example; a message has new ones.

    Raises
    ------
    ValueError: the message is too long, or the public key is no point of the curve.
    """
    if len(message) > LONGEST_MESSAGE:
        raise ValueError(f"a push message has at most {LONGEST_MESSAGE} bytes")
    sender_key, salt = sender_key or ec.generate_private_key(ec.SECP256R1()), salt or os.urandom(_SALT_BYTES)
    browser_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    sender_public = sender_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared_secret = sender_key.exchange(ec.ECDH(), browser_key)
    secret = _derive(shared_secret, auth, b"WebPush: info\x00" + public_key + sender_public, 32)
    content_key = _derive(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derive(secret, salt, b"Content-Encoding: nonce\x00", 12)
    header = salt + _RECORD_BYTES.to_bytes(4) + bytes([len(sender_public)]) + sender_public
    return header + AESGCM(content_key).encrypt(nonce, message + b"\x02", None)  # \x02 ends the last record


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
