"""Tokens in mailed links. Whoever opens the link proves to own the e-mail address. Each token can be used once.

The sender makes a token when it sends the mail, so only the mail contains it. The database stores its SHA-256.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, bindparam, cast, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain.access import NOW
from goatedvips.domain.tokens import hash_token, new_token
from goatedvips.models.accounts import mailed_tokens, users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions

TOKEN_LIFETIME = timedelta(hours=24)
RESET_TOKEN_LIFETIME = timedelta(hours=1)

type Purpose = Literal["email_verification", "email_change", "password_reset", "newsletter_confirmation"]

_GIVEN_HASH = bindparam("given_hash", type_=mailed_tokens.c.token_hash.type)
_ASKED_AT = bindparam("asked_at", type_=mailed_tokens.c.created_at.type)
_EXPIRES_AT = bindparam("token_expires_at", type_=mailed_tokens.c.expires_at.type)


def is_valid(*purposes: Purpose) -> ColumnElement[bool]:
    """Whether a row is the token `given_hash`, has one of these purposes, and is neither used nor expired at `now`."""
    return and_(
        mailed_tokens.c.token_hash == _GIVEN_HASH,
        mailed_tokens.c.purpose.in_(purposes),
        mailed_tokens.c.used_at.is_(None),
        mailed_tokens.c.expires_at > NOW,
    )


def use_token(*purposes: Purpose) -> CTE:
    """Return the CTE that marks a token as used, for a statement bound to `given_hash` and `now`.

    It returns one row: `address`, the e-mail address that the token was mailed to; `user_id`; `purpose`; `created_at`,
    the time of the request for it. It returns no row if the token is unknown, expired, used or for another purpose.
    """
    row = mailed_tokens.c
    return (
        update(mailed_tokens)
        .where(is_valid(*purposes))
        .values(used_at=NOW)
        .returning(row.address, row.user_id, row.purpose, row.created_at)
        .cte("used_token")
    )


def is_wanted(asked_at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether a member's request is still valid: the account is open, with the same password and e-mail address since.

    Otherwise somebody who broke into an account could finish a change of e-mail after the owner reset the password.
    """
    return and_(
        users.c.suspended_at.is_(None),
        users.c.erased_at.is_(None),
        or_(users.c.credentials_changed_at.is_(None), users.c.credentials_changed_at < asked_at),
    )


def _insert_token(purpose: Purpose, recipient: Select[Any]) -> Any:  # noqa: ANN401 - an insert that returns a row
    """Return the statement that stores a new token's hash, if its recipient still needs it.

    It takes `FOR KEY SHARE` on the recipient's row, as `access.member` does, so that a concurrent erasure either sees
    the token or causes this statement to insert no row.

    Parameters
    ----------
    recipient: selects one row with `address` and `user_id`, or no row if no token is needed.
    """
    locked = recipient.with_for_update(read=True, key_share=True).cte("recipient")
    return (
        insert(mailed_tokens)
        .from_select(
            ["purpose", "token_hash", "address", "user_id", "created_at", "expires_at"],
            select(literal(purpose), _GIVEN_HASH, locked.c.address, locked.c.user_id, _ASKED_AT, _EXPIRES_AT),
        )
        .returning(mailed_tokens.c.id)
        .execution_options(commit_in_flight=True)
    )


_insert_for_member = _insert_token(
    "email_verification",
    select(users.c.email.label("address"), users.c.id.label("user_id")).where(
        users.c.id == bindparam("owner_id"),
        users.c.email == bindparam("owner_email"),
        users.c.email_verified.is_not(True),
    ),
)
_OWNER_EMAIL = bindparam("owner_email", type_=users.c.email.type)
_select_owner = select(_OWNER_EMAIL.label("address"), users.c.id.label("user_id")).where(
    users.c.id == bindparam("owner_id"), is_wanted(_ASKED_AT)
)
_insert_for_reset = _insert_token("password_reset", _select_owner.where(users.c.email == _OWNER_EMAIL))
_insert_for_change = _insert_token("email_change", _select_owner)
_insert_for_subscription = _insert_token(
    "newsletter_confirmation",
    select(subscriptions.c.email.label("address"), cast(null(), users.c.id.type).label("user_id")).where(
        subscriptions.c.id == bindparam("subscription_id"),
        ~subscriptions.c.is_subscribed,
        or_(subscriptions.c.unsubscribed_at.is_(None), subscriptions.c.unsubscribed_at < _ASKED_AT),
    ),
)


def make_for_member(connection: Connection, user_id: int, email: str, *, now: datetime) -> str | None:
    """Return a token that verifies a member's e-mail address; None if it is verified or is not theirs any more."""
    return _make(connection, _insert_for_member, {"owner_id": user_id, "owner_email": email}, now, now + TOKEN_LIFETIME)


def make_for_reset(
    connection: Connection, user_id: int, email: str, *, asked_at: datetime, now: datetime
) -> str | None:
    """Return a token that lets a member set a new password; None if the request or the e-mail address is outdated."""
    owner = {"owner_id": user_id, "owner_email": email}
    return _make(connection, _insert_for_reset, owner, asked_at, now + RESET_TOKEN_LIFETIME)


def make_for_change(
    connection: Connection, user_id: int, email: str, *, asked_at: datetime, now: datetime
) -> str | None:
    """Return a token that makes this e-mail address the member's; None if the request is no longer valid."""
    owner = {"owner_id": user_id, "owner_email": email}
    return _make(connection, _insert_for_change, owner, asked_at, now + TOKEN_LIFETIME)


def make_for_subscription(
    connection: Connection, subscription_id: int, *, asked_at: datetime, now: datetime
) -> str | None:
    """Return a token that confirms a subscription; None if it is confirmed or gone, or ended since the request."""
    subscription: dict[str, object] = {"subscription_id": subscription_id}
    return _make(connection, _insert_for_subscription, subscription, asked_at, now + TOKEN_LIFETIME)


def _make(
    connection: Connection,
    statement: Any,  # noqa: ANN401
    recipient: dict[str, object],
    asked_at: datetime,
    expires_at: datetime,
) -> str | None:
    token = new_token()
    parameters = recipient | {"given_hash": hash_token(token), "asked_at": asked_at, "token_expires_at": expires_at}
    inserted = connection.execute(statement, parameters).one_or_none()
    return token if inserted else None
