"""Tokens that prove an address: made when a mail is sent, so that nothing but the mail holds them, and used once."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import CTE, Connection, Select, bindparam, cast, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain.access import NOW
from goatedvips.models.accounts import mailed_tokens, users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions

LASTS = timedelta(hours=24)

type Purpose = Literal["email_verification", "newsletter_confirmation"]

_GIVEN_HASH = bindparam("given_hash", type_=mailed_tokens.c.token_hash.type)
_EXPIRES_AT = bindparam("token_expires_at", type_=mailed_tokens.c.expires_at.type)


def hashed(token: str) -> bytes:
    """What is kept of a token, and what `used` is bound to."""
    return hashlib.sha256(token.encode()).digest()


def used(purpose: Purpose) -> CTE:
    """Use a token up, as the first part of a statement bound to `given_hash` and `now`.

    The part is empty for a token that is unknown, expired, used, or for another purpose; else it has the `address` that
    the token was mailed to, `user_id` and `created_at`.
    """
    return (
        update(mailed_tokens)
        .where(
            mailed_tokens.c.token_hash == _GIVEN_HASH,
            mailed_tokens.c.purpose == purpose,
            mailed_tokens.c.used_at.is_(None),
            mailed_tokens.c.expires_at > NOW,
        )
        .values(used_at=NOW)
        .returning(mailed_tokens.c.address, mailed_tokens.c.user_id, mailed_tokens.c.created_at)
        .cte("used")
    )


def _made_for(purpose: Purpose, who: Select[Any]) -> Any:  # noqa: ANN401 - an insert that returns a row
    """The statement that keeps a new token for `who` still waits for it: an address and a member, or nobody."""
    waiting = who.subquery("waiting")
    return (
        insert(mailed_tokens)
        .from_select(
            ["purpose", "token_hash", "address", "user_id", "created_at", "expires_at"],
            select(literal(purpose), _GIVEN_HASH, waiting.c.address, waiting.c.user_id, NOW, _EXPIRES_AT),
        )
        .returning(mailed_tokens.c.id)
        .execution_options(decides=True)
    )


_made_for_member = _made_for(
    "email_verification",
    select(users.c.email.label("address"), users.c.id.label("user_id")).where(
        users.c.id == bindparam("owner_id"),
        users.c.email == bindparam("owner_email"),
        users.c.email_verified.is_not(True),
    ),
)
_made_for_subscription = _made_for(
    "newsletter_confirmation",
    select(subscriptions.c.email.label("address"), cast(null(), users.c.id.type).label("user_id")).where(
        subscriptions.c.id == bindparam("subscription_id"), ~subscriptions.c.is_subscribed
    ),
)


def make_for_member(connection: Connection, user_id: int, email: str, *, now: datetime) -> str | None:
    """A token that verifies a member's address; none where it is verified already, or no longer theirs."""
    return _make(connection, _made_for_member, {"owner_id": user_id, "owner_email": email}, now)


def make_for_subscription(connection: Connection, subscription_id: int, *, now: datetime) -> str | None:
    """A token that confirms a subscription; none where it is confirmed already, or gone."""
    return _make(connection, _made_for_subscription, {"subscription_id": subscription_id}, now)


def _make(connection: Connection, statement: Any, who: dict[str, object], now: datetime) -> str | None:  # noqa: ANN401
    token = secrets.token_urlsafe(32)  # 256 random bits
    parameters = who | {"given_hash": hashed(token), "now": now, "token_expires_at": now + LASTS}
    kept = connection.execute(statement, parameters).one_or_none()
    return token if kept else None
