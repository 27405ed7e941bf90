"""Accounts: becoming a member, proving an address, and what members see of themselves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, bindparam, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access, attempts, mailed_tokens, server_seeds
from goatedvips.domain.access import NOW, Caller
from goatedvips.errors import EmailTaken, TokenInvalid, UsernameTaken
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.accounts import users
from goatedvips.models.notifications import outbox

REGISTRATIONS = attempts.Throttle("register", limit=10, window=timedelta(hours=1))
"""From one address."""


@dataclass(frozen=True, slots=True)
class Account:
    """A new member."""

    id: int
    username: str
    email_verified: bool


_turn = select(attempts.TURN)
_count = attempts.counting("register", REGISTRATIONS.opens_at(attempt_rows.c.address == attempts.ADDRESS))


def count_registration(connection: Connection, address: str, *, now: datetime) -> None:
    """Count a registration before anything is looked up: its refusal tells who has an account.

    Raises
    ------
    TooManyAttempts
    """
    connection.execute(_turn, attempts.turn("register", address))
    attempts.count(connection, _count, "", address, now=now)


_USERNAME = bindparam("given_username", type_=Text)
_EMAIL = bindparam("given_email", type_=Text)
# Any of the four unique keys decides: an adopted row may have the exact spelling and no key.
_account = (
    upsert(users)
    .values(
        username=_USERNAME,
        username_key=func.lower(_USERNAME),
        email=_EMAIL,
        email_key=func.lower(_EMAIL),
        password=bindparam("stored"),
        email_verified=False,
        created_at=NOW,
    )
    .on_conflict_do_nothing()
    .returning(users.c.id, users.c.username, users.c.email_verified)
    .cte("account")
)
_mailed = (
    insert(outbox)
    .from_select(
        ["kind", "user_id", "address", "created_at", "due_at"],
        select(literal("verification"), _account.c.id, _EMAIL, NOW, NOW),
    )
    .cte("mailed")
)
_register = (
    select(_account).add_cte(server_seeds.first_two(_account).cte("seeds"), _mailed).execution_options(decides=True)
)
_username_taken = select(users.c.id).where(
    or_(users.c.username == _USERNAME, users.c.username_key == func.lower(_USERNAME))
)


def register(connection: Connection, username: str, email: str, stored: str, *, now: datetime) -> Account:
    """Make a member, with the seeds of their wheel and the mail that lets them prove their address.

    Parameters
    ----------
    stored: the password as `passwords.hashed` made it.

    Raises
    ------
    UsernameTaken, EmailTaken: by whatever spelling, ignoring case.
    """
    parameters = {"given_username": username, "given_email": email, "stored": stored, "now": now}
    account = connection.execute(_register, parameters | server_seeds.fresh()).one_or_none()
    if account is None:
        taken = connection.execute(_username_taken, parameters).first()
        raise UsernameTaken if taken else EmailTaken
    return Account(account.id, account.username, account.email_verified)


_token = mailed_tokens.used("email_verification")
_verify = (
    update(users)
    .where(users.c.id == _token.c.user_id, users.c.email == _token.c.address)
    .values(email_verified=True)
    .returning(users.c.id)
    .execution_options(decides=True)
)


def verify_email(connection: Connection, token: str, *, now: datetime) -> None:
    """Take a mailed token as the proof that the member reads mail at their address.

    Raises
    ------
    TokenInvalid: unknown, used, expired, or the account has another address now.
    """
    parameters = {"given_hash": mailed_tokens.hashed(token), "now": now}
    if connection.execute(_verify, parameters).one_or_none() is None:
        raise TokenInvalid


_member = access.member()
_me: Select[Any] = select(
    users.c.id,
    users.c.username,
    users.c.email,
    func.coalesce(users.c.email_verified, False).label("email_verified"),
    users.c.is_admin.label("is_staff"),
    users.c.bio,
    users.c.profile_color,
    users.c.verified,
    users.c.uid,
    users.c.hide_name,
    users.c.total_wager,
    users.c.wager_today,
    users.c.wager_week,
    users.c.wager_month,
    users.c.excluded_until,
    users.c.excluded_permanently,
    users.c.created_at,
    users.c.last_active,
).join(_member, _member.c.id == users.c.id)


def me(connection: Connection, caller: Caller, *, now: datetime) -> Row[Any]:
    """What members see of themselves.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    row = connection.execute(_me, caller.parameters(now)).one_or_none()
    if row is None:
        access.explain(connection, caller, now=now)
        raise AssertionError("there is a row for every live caller")
    return row
