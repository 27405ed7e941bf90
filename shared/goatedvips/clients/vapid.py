"""VAPID (RFC 8292): the signature by which a push service knows that the owner of a subscription's key sends to it."""

from datetime import datetime, timedelta
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from goatedvips.push_services import decode_base64url, encode_base64url

TOKEN_LIFETIME = timedelta(hours=12)
"""RFC 8292, section 2: a push service refuses a token that ends more than 24 hours later."""
_PRIVATE_KEY_BYTES = 32


class Signer:
    """Signs requests to push services, one token for each of them.

    Parameters
    ----------
    private_key: the scalar of a key of P-256 (32 bytes), as base64url.
    mailbox: where a push service reaches the sender, as in `GoatedVIPs <hello@example.com>`.

    Raises
    ------
    ValueError: the private key is none.
    """

    def __init__(self, private_key: str, mailbox: str) -> None:
        scalar = decode_base64url(private_key)
        if len(scalar) != _PRIVATE_KEY_BYTES:
            raise ValueError("a private key of VAPID has 32 bytes")
        self._vapid = Vapid02.from_raw(encode_base64url(scalar).encode())
        email = mailbox.rpartition("<")[2].rstrip("> ")
        self._contact = f"mailto:{quote(email, safe='@+')}"
        self._authorizations: dict[str, str] = {}

    @property
    def public_key(self) -> str:
        """The public key, with which browsers subscribe: an uncompressed point (65 bytes) as base64url."""
        point = self._vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return encode_base64url(point)

    def authorize(self, origin: str, now: datetime) -> str:
        """Return the header `Authorization` of requests to a push service.

        Parameters
        ----------
        origin: of the push service, as in `https://fcm.googleapis.com`.
        now: aware. A signer serves one run: it signs for an origin only once.
        """
        if origin not in self._authorizations:
            claims = {"aud": origin, "exp": int((now + TOKEN_LIFETIME).timestamp()), "sub": self._contact}
            self._authorizations[origin] = self._vapid.sign(claims)["Authorization"]
        return self._authorizations[origin]
