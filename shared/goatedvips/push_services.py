"""Push services: which endpoints and keys of browsers' push subscriptions are accepted."""

import base64
import binascii
import re
from typing import Final

HOSTS: Final = (
    "fcm.googleapis.com",  # Chrome, Opera, Samsung: https://firebase.google.com/docs/cloud-messaging
    "push.services.mozilla.com",  # Firefox: https://mozilla-push-service.readthedocs.io
    "push.apple.com",  # Safari: https://developer.apple.com/documentation/usernotifications
    "notify.windows.com",  # Edge: https://learn.microsoft.com/windows/apps/design/shell/tiles-and-notifications
)
"""The hosts of the push services that browsers use. Each stands for its subdomains too."""
LONGEST_ENDPOINT: Final = 2048  # characters
_ENDPOINT = re.compile(
    rf"https://(?P<host>(?:[a-z0-9][a-z0-9-]*\.)*(?:{'|'.join(map(re.escape, HOSTS))}))(?::443)?(?P<path>/[!$-\[\]-~]*)"
)
# The prime and the coefficient b of the curve P-256: y² = x³ - 3x + b. Source: FIPS 186-4, D.1.2.3.
_PRIME: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_KEY_BYTES: Final = 65


def normalize_endpoint(endpoint: str) -> str:
    """Return the URL of an endpoint in the form in which it is stored: without its port.

    It must be an https URL at one of `HOSTS`, without user info and fragment, and without a port or with 443.

    Raises
    ------
    ValueError: it is none.
    """
    found = _ENDPOINT.fullmatch(endpoint) if len(endpoint) <= LONGEST_ENDPOINT else None
    if found is None:
        raise ValueError("must be an https URL of a browser's push service, on port 443")
    return f"https://{found['host']}{found['path']}"


def decode_base64url(text: str) -> bytes:
    """Return the bytes of base64url (RFC 4648, section 5), with or without padding.

    Raises
    ------
    ValueError: it is no base64url.
    """
    plain = text.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", plain) or len(plain) % 4 == 1 or len(text) - len(plain) > -len(plain) % 4:
        raise ValueError("must be base64url")
    try:
        return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        raise ValueError("must be base64url") from None


def encode_base64url(content: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def is_public_key(key: bytes) -> bool:
    """Return whether these bytes are an uncompressed point of the curve P-256 (SEC 1, section 2.3.3)."""
    if len(key) != _KEY_BYTES or key[0] != 4:  # noqa: PLR2004 - the mark of an uncompressed point
        return False
    x, y = int.from_bytes(key[1:33]), int.from_bytes(key[33:])
    return max(x, y) < _PRIME and (y * y - (x * x * x - 3 * x + _B)) % _PRIME == 0
