"""Logging in: an attempt is counted before its password is compared, and taken back when that was right."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Text, bindparam, case, delete, func, insert, or_, select, true, update

from goatedvips.domain import attempts
from goatedvips.domain.access import COMPARED, NOW
from goatedvips.domain.accounts import passwords
from goatedvips.domain.accounts.sessions import LASTS
from goatedvips.domain.tokens import hash_token, new_token
from goatedvips.errors import AccountSuspended, InvalidCredentials
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.accounts import sessions, users

GUESSES = attempts.Throttle("log_in", limit=10, window=timedelta(minutes=15))
"""Of one account's password, from one address."""
GUESSES_OF_ADDRESS = attempts.Throttle("log_in", limit=50, window=timedelta(minutes=15))
"""From one address, over all accounts."""


@dataclass(frozen=True, slots=True)
class LogInAttempt:
    """A counted attempt to prove a password; without an account where nobody goes by the name."""

    id: int
    account_id: int | None
    password: str | None


@dataclass(frozen=True, slots=True)
class User:
    """Who logged in."""

    id: int
    username: str
    email: str
    email_verified: bool
    is_staff: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session with its token, which nobody can read again."""

    token: str
    expires_at: datetime
    user: User


_LOGIN = bindparam("login", type_=Text)
_ways = (
    users.c.username == _LOGIN,
    users.c.email == _LOGIN,
    users.c.username_key == func.lower(_LOGIN),
    users.c.email_key == func.lower(_LOGIN),
)
_account = (
    select(users.c.id, users.c.password)
    .where(or_(*_ways))
    .order_by(case(*((way, rank) for rank, way in enumerate(_ways))))
    .limit(1)
    .subquery("account")
)
_lock = select(attempts.ATTEMPT_LOCK).subquery("lock")
_find = select(
    _lock.c.attempt_lock, func.lower(_LOGIN).label("ignoring_case"), _account.c.id, _account.c.password
).select_from(_lock.outerjoin(_account, true()))
_of_account = (attempt_rows.c.subject == attempts.SUBJECT) & (attempt_rows.c.address == attempts.CLIENT_NETWORK)
_of_address = attempt_rows.c.address == attempts.CLIENT_NETWORK
_count = attempts.attempt_statement(
    "log_in",
    func.greatest(
        GUESSES.opens_at(_of_account),
        GUESSES_OF_ADDRESS.opens_at(_of_address),
        type_=attempt_rows.c.attempted_at.type,
    ),
)


def begin_attempt(connection: Connection, login: str, client_network: str, *, now: datetime) -> LogInAttempt:
    """Find whom the login names, and count the attempt before anything is compared.

    Parameters
    ----------
    login: a username or an e-mail address: exactly so, or else ignoring case.
    client_network: where the attempt comes from.

    Raises
    ------
    TooManyAttempts
    """
    account = connection.execute(_find, {"login": login} | attempts.lock_parameters("log_in", client_network)).one()
    # An unknown name is as good a subject, in whatever case; but it may be a password in the wrong field.
    subject = str(account.id or hashlib.sha256(account.ignoring_case.encode()).hexdigest())
    return LogInAttempt(guess(connection, subject, client_network, now=now), account.id, account.password)


def guess(connection: Connection, subject: str, client_network: str, *, now: datetime) -> int:
    """Count a guess at a password, in the turn of its address, and return the attempt's id.

    Raises
    ------
    TooManyAttempts
    """
    return attempts.record_attempt(connection, _count, subject, client_network, now=now)


# An account whose password or right to log in has changed meanwhile stays as it is, and nothing hangs on it.
_right = (
    update(users)
    .where(
        users.c.id == bindparam("account_id"),
        users.c.password == COMPARED,
        users.c.suspended_at.is_(None),
    )
    .values(password=bindparam("stored"))
    .returning(
        users.c.id,
        users.c.username,
        users.c.email,
        func.coalesce(users.c.email_verified, False).label("email_verified"),
        users.c.is_admin,
    )
    .cte("account")
)
# A parameter named as a column of an updated table would be written into it.
_TOKEN_HASH = bindparam("given_hash", type_=sessions.c.token_hash.type)
_EXPIRES_AT = bindparam("session_expires_at", type_=sessions.c.expires_at.type)
_opened = (
    insert(sessions)
    .from_select(
        ["user_id", "token_hash", "created_at", "expires_at"], select(_right.c.id, _TOKEN_HASH, NOW, _EXPIRES_AT)
    )
    .cte("opened")
)
_open = select(_right).add_cte(attempts.attempt_removed(_right), _opened).execution_options(commit_in_flight=True)
_present = select(users.c.password, users.c.suspended_at).where(users.c.id == bindparam("account_id"))


def open_session(
    connection: Connection, attempt: LogInAttempt, password: str, stored: str, *, now: datetime
) -> NewSession:
    """Open a session for who has proved the password, take the attempt back, and store what today's format makes of it.

    Parameters
    ----------
    stored: as `passwords.verified` returned it.

    Raises
    ------
    AccountSuspended
    InvalidCredentials: the password was changed since it was compared.
    """
    token = f"gvp_{new_token()}"
    parameters = {
        "account_id": attempt.account_id,
        "compared": attempt.password,
        "stored": stored,
        "attempt_id": attempt.id,
        "given_hash": hash_token(token),
        "session_expires_at": now + LASTS,
        "now": now,
    }
    account = connection.execute(_open, parameters).one_or_none()
    if account is None:
        present = connection.execute(_present, parameters).one()
        if present.suspended_at is not None:
            raise AccountSuspended(leaves=delete(attempt_rows).where(attempt_rows.c.id == attempt.id))
        # Another log-in at the same moment may have stored the same password in today's format.
        if not passwords.matches(present.password, password):
            raise InvalidCredentials
        again = parameters | {"compared": present.password, "stored": present.password}
        account = connection.execute(_open, again).one_or_none()
    if account is None:
        raise InvalidCredentials
    user = User(account.id, account.username, account.email, account.email_verified, account.is_admin)
    return NewSession(token, now + LASTS, user)
