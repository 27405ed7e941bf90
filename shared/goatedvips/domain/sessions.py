"""Sessions: how a member logs in, and whom a token belongs to."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CTE, Connection, Text, bindparam, case, delete, func, insert, or_, select, true, update

from goatedvips.domain import access, attempts, passwords
from goatedvips.domain.access import COMPARED, LIVE, NOW, Caller
from goatedvips.errors import AccountSuspended, InvalidCredentials
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.accounts import sessions, users

LASTS = timedelta(days=30)
NOTED_EVERY = timedelta(minutes=5)
"""How often a member's activity is written down, and their session prolonged."""
GUESSES = attempts.Throttle("log_in", limit=10, window=timedelta(minutes=15))
"""Of one account's password, from one address."""
GUESSES_OF_ADDRESS = attempts.Throttle("log_in", limit=50, window=timedelta(minutes=15))
"""From one address, over all accounts."""

_BEARER = re.compile(r"Bearer +(gvp_[A-Za-z0-9_-]{43})", re.ASCII | re.IGNORECASE)


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


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a token belongs to."""

    user_id: int
    session_id: int
    is_staff: bool


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
_turn = select(attempts.TURN).subquery("turn")
_find = select(_turn.c.turn, func.lower(_LOGIN).label("ignoring_case"), _account.c.id, _account.c.password).select_from(
    _turn.outerjoin(_account, true())
)
_of_account = (attempt_rows.c.subject == attempts.SUBJECT) & (attempt_rows.c.address == attempts.ADDRESS)
_of_address = attempt_rows.c.address == attempts.ADDRESS
_count = attempts.counting(
    "log_in",
    func.greatest(
        GUESSES.opens_at(_of_account),
        GUESSES_OF_ADDRESS.opens_at(_of_address),
        type_=attempt_rows.c.attempted_at.type,
    ),
)


def attempt(connection: Connection, login: str, address: str, *, now: datetime) -> LogInAttempt:
    """Find whom the login names, and count the attempt before anything is compared.

    Parameters
    ----------
    login: a username or an e-mail address: exactly so, or else ignoring case.
    address: where the attempt comes from.

    Raises
    ------
    TooManyAttempts
    """
    account = connection.execute(_find, {"login": login} | attempts.turn("log_in", address)).one()
    # An unknown name is as good a subject, in whatever case; but it may be a password in the wrong field.
    subject = str(account.id or hashlib.sha256(account.ignoring_case.encode()).hexdigest())
    return LogInAttempt(guess(connection, subject, address, now=now), account.id, account.password)


def guess(connection: Connection, subject: str, address: str, *, now: datetime) -> int:
    """Count a guess at a password, in the turn of its address, and return the attempt's id.

    Raises
    ------
    TooManyAttempts
    """
    return attempts.count(connection, _count, subject, address, now=now)


ATTEMPT_ID = bindparam("attempt_id", type_=attempt_rows.c.id.type)


def taken_back(proof: CTE) -> CTE:
    """The part of a statement that takes `ATTEMPT_ID` back, where there is a row of `proof`."""
    the_attempt = select(ATTEMPT_ID).select_from(proof).scalar_subquery()
    return delete(attempt_rows).where(attempt_rows.c.id == the_attempt).cte("taken_back")


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
_open = select(_right).add_cte(taken_back(_right), _opened).execution_options(commit_in_flight=True)
_present = select(users.c.password, users.c.suspended_at).where(users.c.id == bindparam("account_id"))


def log_in(connection: Connection, attempt: LogInAttempt, password: str, stored: str, *, now: datetime) -> NewSession:
    """Open a session for who has proved the password, take the attempt back, and store what today's format makes of it.

    Parameters
    ----------
    stored: as `passwords.verified` returned it.

    Raises
    ------
    AccountSuspended
    InvalidCredentials: the password was changed since it was compared.
    """
    token = f"gvp_{secrets.token_urlsafe(32)}"
    parameters = {
        "account_id": attempt.account_id,
        "compared": attempt.password,
        "stored": stored,
        "attempt_id": attempt.id,
        "given_hash": _hashed(token),
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


_others = (
    update(sessions)
    .where(
        sessions.c.user_id == bindparam("owner_id"),
        sessions.c.id.is_distinct_from(bindparam("kept_id", type_=sessions.c.id.type)),
        sessions.c.ended_at.is_(None),
    )
    .values(ended_at=NOW)
    .execution_options(commit_in_flight=True)
)


def end_all(connection: Connection, user_id: int, *, but: int | None = None, now: datetime) -> None:
    """End a member's sessions, but for one.

    It is a statement after the one that locked and changed their row: so it sees what a log-in opened until then.
    """
    connection.execute(_others, {"owner_id": user_id, "kept_id": but, "now": now})


_caller = access.member()
_end = (
    update(sessions)
    .where(sessions.c.id == bindparam("caller_session_id"), sessions.c.user_id == _caller.c.id)
    .values(ended_at=NOW)
    .returning(sessions.c.id)
    .execution_options(commit_in_flight=True)
)


def end(connection: Connection, caller: Caller, *, now: datetime) -> None:
    """End the caller's session: log them out.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    if connection.execute(_end, caller.parameters(now)).one_or_none() is None:
        access.refuse(connection, caller, now=now)


_live = (
    select(sessions.c.id.label("session_id"), users.c.id.label("user_id"), users.c.is_admin)
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.token_hash == _TOKEN_HASH, LIVE, users.c.suspended_at.is_(None))
    .cte("live")
)
_STALE = bindparam("stale_since", type_=users.c.last_active.type)
# What another request is writing at this moment is as new as this would be: no two wait for each other.
_idle = (
    select(users.c.id)
    .join(_live, _live.c.user_id == users.c.id)
    .where(or_(users.c.last_active.is_(None), users.c.last_active <= _STALE, ~users.c.is_active))
)
_noted = (
    update(users)
    .where(users.c.id.in_(_idle.with_for_update(of=users, key_share=True, skip_locked=True)))
    .values(last_active=NOW, is_active=True)
    .cte("noted")
)
_ageing = (
    select(sessions.c.id)
    .join(_live, _live.c.session_id == sessions.c.id)
    .where(sessions.c.expires_at <= bindparam("ageing_until", type_=sessions.c.expires_at.type))
)
_prolonged = (
    update(sessions)
    .where(sessions.c.id.in_(_ageing.with_for_update(of=sessions, key_share=True, skip_locked=True)))
    .values(expires_at=_EXPIRES_AT)
    .cte("prolonged")
)
_know = select(_live).add_cte(_noted, _prolonged).execution_options(commit_in_flight=True)


def token_in(authorization: str) -> str | None:
    """The session token in an Authorization header; none where it holds anything else."""
    bearer = _BEARER.fullmatch(authorization)
    return bearer[1] if bearer else None


def known(connection: Connection, token: str, *, now: datetime) -> Known | None:
    """Whom the token of a live session belongs to, unless they are suspended.

    It notes that they are active and prolongs the session, at most once in 5 minutes.
    """
    parameters = {
        "given_hash": _hashed(token),
        "now": now,
        "stale_since": now - NOTED_EVERY,
        "ageing_until": now + LASTS - NOTED_EVERY,
        "session_expires_at": now + LASTS,
    }
    row = connection.execute(_know, parameters).one_or_none()
    return Known(row.user_id, row.session_id, row.is_admin) if row else None


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
