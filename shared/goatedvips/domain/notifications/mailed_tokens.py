"""Tokens that prove an address: made when a mail is sent, so that nothing but the mail holds them, and used once."""

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, bindparam, cast, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain.access import NOW
from goatedvips.domain.tokens import hash_token, new_token
from goatedvips.models.accounts import mailed_tokens, users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions

LASTS = timedelta(hours=24)
RESET_LASTS = timedelta(hours=1)

type Purpose = Literal["email_verification", "email_change", "password_reset", "newsletter_confirmation"]

_GIVEN_HASH = bindparam("given_hash", type_=mailed_tokens.c.token_hash.type)
_ASKED_AT = bindparam("asked_at", type_=mailed_tokens.c.created_at.type)
_EXPIRES_AT = bindparam("token_expires_at", type_=mailed_tokens.c.expires_at.type)


def is_valid(*purposes: Purpose) -> ColumnElement[bool]:
    """Whether a row is the token `given_hash`, for one of these purposes, and neither used nor expired by `now`."""
    return and_(
        mailed_tokens.c.token_hash == _GIVEN_HASH,
        mailed_tokens.c.purpose.in_(purposes),
        mailed_tokens.c.used_at.is_(None),
        mailed_tokens.c.expires_at > NOW,
    )


def used(*purposes: Purpose) -> CTE:
    """Use a token up, as the first part of a statement bound to `given_hash` and `now`.

    The part is empty for a token that is unknown, expired, used, or for another purpose; else it has the `address` that
    the token was mailed to, `user_id`, `purpose`, and when it was asked for: `created_at`.
    """
    row = mailed_tokens.c
    return (
        update(mailed_tokens)
        .where(is_valid(*purposes))
        .values(used_at=NOW)
        .returning(row.address, row.user_id, row.purpose, row.created_at)
        .cte("used")
    )


def is_wanted(asked_at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether a row of `users` still wants what was asked for: not closed, nor with another password or e-mail since.

    Else whoever had got into an account could let a change of its e-mail outlive the owner's reset of the password.
    """
    return and_(
        users.c.suspended_at.is_(None),
        users.c.erased_at.is_(None),
        or_(users.c.credentials_changed_at.is_(None), users.c.credentials_changed_at < asked_at),
    )


def _made_for(purpose: Purpose, who: Select[Any]) -> Any:  # noqa: ANN401 - an insert that returns a row
    """The statement that keeps a new token for `who` still waits for it: an address and a member, or nobody.

    Their row is held, as `access.member` holds it: an erasure sees the token, or this finds nobody.
    """
    waiting = who.with_for_update(read=True, key_share=True).cte("waiting")
    return (
        insert(mailed_tokens)
        .from_select(
            ["purpose", "token_hash", "address", "user_id", "created_at", "expires_at"],
            select(literal(purpose), _GIVEN_HASH, waiting.c.address, waiting.c.user_id, _ASKED_AT, _EXPIRES_AT),
        )
        .returning(mailed_tokens.c.id)
        .execution_options(commit_in_flight=True)
    )


_made_for_member = _made_for(
    "email_verification",
    select(users.c.email.label("address"), users.c.id.label("user_id")).where(
        users.c.id == bindparam("owner_id"),
        users.c.email == bindparam("owner_email"),
        users.c.email_verified.is_not(True),
    ),
)
_OWNER_EMAIL = bindparam("owner_email", type_=users.c.email.type)
_of_owner = select(_OWNER_EMAIL.label("address"), users.c.id.label("user_id")).where(
    users.c.id == bindparam("owner_id"), is_wanted(_ASKED_AT)
)
_made_for_reset = _made_for("password_reset", _of_owner.where(users.c.email == _OWNER_EMAIL))
_made_for_change = _made_for("email_change", _of_owner)
_made_for_subscription = _made_for(
    "newsletter_confirmation",
    select(subscriptions.c.email.label("address"), cast(null(), users.c.id.type).label("user_id")).where(
        subscriptions.c.id == bindparam("subscription_id"), ~subscriptions.c.is_subscribed
    ),
)


def make_for_member(connection: Connection, user_id: int, email: str, *, now: datetime) -> str | None:
    """A token that verifies a member's address; none where it is verified already, or no longer theirs."""
    return _make(connection, _made_for_member, {"owner_id": user_id, "owner_email": email}, now, now + LASTS)


def make_for_reset(
    connection: Connection, user_id: int, email: str, *, asked_at: datetime, now: datetime
) -> str | None:
    """A token that lets a member set a new password; none where nobody waits for it, or the address is not theirs."""
    who = {"owner_id": user_id, "owner_email": email}
    return _make(connection, _made_for_reset, who, asked_at, now + RESET_LASTS)


def make_for_change(
    connection: Connection, user_id: int, email: str, *, asked_at: datetime, now: datetime
) -> str | None:
    """A token that makes this address the member's; none where they do not wait for it any more."""
    who = {"owner_id": user_id, "owner_email": email}
    return _make(connection, _made_for_change, who, asked_at, now + LASTS)


def make_for_subscription(connection: Connection, subscription_id: int, *, now: datetime) -> str | None:
    """A token that confirms a subscription; none where it is confirmed already, or gone."""
    return _make(connection, _made_for_subscription, {"subscription_id": subscription_id}, now, now + LASTS)


def _make(
    connection: Connection,
    statement: Any,  # noqa: ANN401
    who: dict[str, object],
    asked_at: datetime,
    expires_at: datetime,
) -> str | None:
    token = new_token()
    parameters = who | {"given_hash": hash_token(token), "asked_at": asked_at, "token_expires_at": expires_at}
    kept = connection.execute(statement, parameters).one_or_none()
    return token if kept else None
