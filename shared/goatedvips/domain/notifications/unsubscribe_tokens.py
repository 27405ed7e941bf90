"""Tokens in mail that end mail: of one list, to one e-mail address. They give no other right.

A token is the list, the address and an HMAC over both by a key of its own. So nothing is stored for a token, and it
never expires: the newest key signs, older ones still verify (`migrations/mail_routines.py`).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from sqlalchemy import CTE, Connection, LargeBinary, Text, any_, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from goatedvips.errors import TokenInvalid

type MailList = Literal[
    "newsletter",
    "wager_race_updates",
    "vip_status_changes",
    "promotional_offers",
    "monthly_statements",
    "email_notifications",
]
"""The newsletter, or a column of `notification_preferences`; `email_notifications` is all mail that is not critical."""

LISTS: Final = frozenset(cast("tuple[MailList, ...]", MailList.__value__.__args__))

_LIST = bindparam("mail_list", type_=Text)
_EMAIL = bindparam("mail_email", type_=Text)
_SIGNATURE = bindparam("mail_signature", type_=LargeBinary)
_signatures = func.unsubscribe_signatures(_LIST, _EMAIL, type_=ARRAY(LargeBinary))
_sign = select(func.encode(_signatures[1], "base64"))


@dataclass(frozen=True, slots=True)
class UnsubscribeToken:
    """A token as it was given: its signature is not verified yet."""

    mail_list: MailList
    email: str
    signature: bytes

    @property
    def parameters(self) -> dict[str, Any]:
        """What a statement with `verified` is bound to."""
        return {"mail_list": self.mail_list, "mail_email": self.email, "mail_signature": self.signature}


def sign(connection: Connection, mail_list: MailList, email: str) -> str:
    """Return the token for a list and an e-mail address: characters that a URL's query may have as they are."""
    signature = connection.execute(_sign, {"mail_list": mail_list, "mail_email": email}).scalar_one()
    return f"{mail_list}.{_encode(email.encode())}.{_encode(base64.b64decode(signature))}"


def parse(token: str) -> UnsubscribeToken:
    """Return the parts of a token.

    Raises
    ------
    TokenInvalid: it is not of the form that `sign` gives.
    """
    try:
        mail_list, encoded, signature = token.split(".")
        email = _decode(encoded).decode()
        if mail_list not in LISTS or not email.isprintable():
            raise TokenInvalid
        return UnsubscribeToken(mail_list, email, _decode(signature))
    except (ValueError, binascii.Error) as error:
        raise TokenInvalid from error


def verified() -> CTE:
    """Return the CTE that has one row, with `email_key`, if the token is signed by a key; bound to its `parameters`."""
    is_signed = any_(_signatures) == _SIGNATURE
    return select(literal(1).label("one"), func.lower(_EMAIL).label("email_key")).where(is_signed).cte("verified_token")


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
