"""The tokens of senders of push messages, verified as RFC 8292 asks push services to."""

import json
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from goatedvips.push_services import decode_base64url

LONGEST_LIFETIME = timedelta(hours=24)
HEADER = re.compile(r"vapid\s+t=(?P<token>[\w.-]+)\s*,\s*k=(?P<key>[\w-]+)", re.ASCII | re.IGNORECASE)
SIGNATURE_BYTES = 64


class RefusedTokenError(Exception):
    """A push service would refuse the token; the text says why."""


def verify(authorization: str, endpoint: str, public_key: str, now: datetime) -> dict[str, Any]:
    """Return the claims of a token.

    Parameters
    ----------
    authorization: the header of that name.
    endpoint: to which the message goes.
    public_key: with which the subscription was made, as base64url.
    now: aware.

    Raises
    ------
    RefusedTokenError
    """
    given = HEADER.fullmatch(authorization.strip())
    if given is None:
        raise RefusedTokenError("Authorization is no token of VAPID with its key")
    if given["key"] != public_key:
        raise RefusedTokenError("the subscription was made with another key")
    try:
        claims = _read(given["token"], public_key)
        ends_in = float(claims["exp"]) - now.timestamp()
    except (ValueError, TypeError, KeyError) as error:
        raise RefusedTokenError(f"the token cannot be read: {error!r}") from error
    except InvalidSignature:
        raise RefusedTokenError("the token is not signed by its key") from None
    if claims.get("aud") != "https://" + urlsplit(endpoint).netloc:
        raise RefusedTokenError(f"the token is for {claims.get('aud')}")
    if not 0 < ends_in <= LONGEST_LIFETIME.total_seconds():
        raise RefusedTokenError("the token has ended, or ends more than 24 hours later")
    if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
        raise RefusedTokenError("the token does not say how to reach the sender")
    return claims


def _read(token: str, public_key: str) -> dict[str, Any]:
    """Return the claims of a JSON Web Token that is signed by this key (RFC 7515, RFC 7518, section 3.4)."""
    signed, _, signature = token.rpartition(".")
    head, payload = (json.loads(decode_base64url(part)) for part in signed.split("."))
    octets = decode_base64url(signature)
    if head.get("alg") != "ES256" or len(octets) != SIGNATURE_BYTES or not isinstance(payload, dict):
        raise ValueError("not ES256")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode_base64url(public_key))
    pair = utils.encode_dss_signature(int.from_bytes(octets[:32]), int.from_bytes(octets[32:]))
    key.verify(pair, signed.encode(), ec.ECDSA(SHA256()))
    return payload
