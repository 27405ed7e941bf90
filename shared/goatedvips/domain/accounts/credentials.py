"""What proves a signed-in member once more, and how a password is changed or set anew.

Who changes what an account is entered by, or erases it, gives the current password.  The handler counts the attempt by
`attempt`, which commits; compares outside a transaction; and opens one for a statement that starts from
`access.proved` and takes the attempt back by `attempts.attempt_removed`.  If it has no row, `refuse` says why.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection, Text, bindparam, func, literal, or_, select, true, update

from goatedvips.domain import access, attempts
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.accounts import log_in, mail_requests, sessions
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.tokens import hash_token
from goatedvips.errors import InvalidCredentials, TokenInvalid
from goatedvips.models.accounts import mailed_tokens as tokens
from goatedvips.models.accounts import users

_lock = select(attempts.ATTEMPT_LOCK).subquery("lock")
_caller = access.member(only_reads=True)
_own = (
    select(_lock.c.attempt_lock, users.c.id, users.c.password)
    .select_from(_lock.join(_caller, true()))
    .join(users, users.c.id == _caller.c.id)
)


def attempt(connection: Connection, caller: Caller, client_network: str, *, now: datetime) -> LogInAttempt:
    """Count an attempt to prove the caller's password before anything is compared: among the guesses at log-in.

    Whoever has a stolen token guesses no faster than without it.

    Raises
    ------
    TooManyAttempts, Unauthenticated, AccountSuspended
    """
    own = access.one(connection, _own, caller, attempts.lock_parameters("log_in", client_network), now=now)
    return LogInAttempt(log_in.guess(connection, str(own.id), client_network, now=now), own.id, own.password)


def proof(caller: Caller, attempt: LogInAttempt, now: datetime) -> dict[str, object]:
    """What `access.proved` and `attempts.attempt_removed` are bound to."""
    return caller.parameters(now) | {"compared": attempt.password, "attempt_id": attempt.id}


def refuse(connection: Connection, caller: Caller, *, now: datetime) -> NoReturn:
    """Say why `access.proved` left the caller out.

    Raises
    ------
    Unauthenticated, AccountSuspended
    InvalidCredentials: the password was changed since it was compared.
    """
    access.explain(connection, caller, now=now)
    raise InvalidCredentials


@dataclass(frozen=True, slots=True)
class Names:
    """What a password must not be."""

    username: str
    email: str


_own_names = select(users.c.username, users.c.email).join(_caller, _caller.c.id == users.c.id)


def own_names(connection: Connection, caller: Caller, *, now: datetime) -> Names:
    """What the caller's next password must not be.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    row = access.one(connection, _own_names, caller, {}, now=now)
    return Names(row.username, row.email)


_STORED = bindparam("stored", type_=users.c.password.type)
_proved = access.proved()
_changed = (
    update(users)
    .where(users.c.id == _proved.c.id)
    .values(password=_STORED, credentials_changed_at=NOW)
    .returning(users.c.id)
    .cte("changed")
)
_change = select(_changed.c.id).add_cte(attempts.attempt_removed(_proved))


def change_password(
    connection: Connection, caller: Caller, attempt: LogInAttempt, stored: str, *, now: datetime
) -> None:
    """Give the caller another password, and end their other sessions.

    Parameters
    ----------
    attempt: the proof of the present password, which is taken back.
    stored: the new password as `passwords.hashed` made it.

    Raises
    ------
    Unauthenticated, AccountSuspended, InvalidCredentials
    """
    parameters = proof(caller, attempt, now) | {"stored": stored}
    if connection.execute(_change, parameters).one_or_none() is None:
        refuse(connection, caller, now=now)
    sessions.end_all(connection, caller.user_id, but=caller.session_id, now=now)


_EMAIL = bindparam("asked_email", type_=Text)
_reset_turn = select(mail_requests.advisory_lock(_EMAIL))
_account = (
    select(users.c.id, users.c.email)
    .where(
        or_(users.c.email == _EMAIL, users.c.email_key == func.lower(_EMAIL)),
        users.c.suspended_at.is_(None),
        users.c.erased_at.is_(None),
    )
    .order_by((users.c.email == _EMAIL).desc())
    .limit(1)
    .with_for_update(of=users, read=True, key_share=True)  # as `access.member` holds it, against an erasure
    .cte("account")
)
_asked = (
    select(_account.c.id.label("user_id"), func.coalesce(_account.c.email, _EMAIL).label("email"))
    .select_from(select(literal(1)).subquery("once").outerjoin(_account, true()))
    .cte("asked")
)
# Whatever the address, this writes and its commit waits for the disk: the answer takes the same time.
_request_reset = (
    select(_asked.c.email)
    .add_cte(*mail_requests.asked_for("password_reset", _asked))
    .execution_options(commit_in_flight=True)
)


def request_reset(connection: Connection, email: str, client_network: str, *, now: datetime) -> None:
    """Mail a link by which its reader sets a new password, if an account has the address: exactly, or ignoring case.

    Whoever asks learns nothing.  A suspended account gets no mail: no password would open it.

    Parameters
    ----------
    address: the network address that the request comes from.
    """
    parameters = {"asked_email": email, "client_network": client_network, "now": now}
    connection.execute(_reset_turn, parameters)
    connection.execute(_request_reset, parameters)


_names_by_token = (
    select(users.c.username, users.c.email)
    .join(tokens, tokens.c.user_id == users.c.id)
    .where(
        mailed_tokens.is_valid("password_reset"),
        users.c.email == tokens.c.address,
        mailed_tokens.is_wanted(tokens.c.created_at),
    )
)


def names_by_token(connection: Connection, token: str, *, now: datetime) -> Names:
    """What the password that a mailed token may set must not be; the token is not used up by this.

    Raises
    ------
    TokenInvalid: unknown, used, expired, or the account has another address or password since.
    """
    row = connection.execute(_names_by_token, {"given_hash": hash_token(token), "now": now}).one_or_none()
    if row is None:
        raise TokenInvalid
    return Names(row.username, row.email)


_token = mailed_tokens.used("password_reset")
# The row's own conditions are read again after a wait: of two tokens at once, the second finds a new password.
_reset = (
    update(users)
    .where(
        users.c.id == _token.c.user_id, users.c.email == _token.c.address, mailed_tokens.is_wanted(_token.c.created_at)
    )
    .values(password=_STORED, credentials_changed_at=NOW, email_verified=True)
    .returning(users.c.id)
)


def reset_password(connection: Connection, token: str, stored: str, *, now: datetime) -> None:
    """Set a new password by a mailed token, and end all sessions; the address, where it was read, is proved by it.

    Parameters
    ----------
    stored: the new password as `passwords.hashed` made it.

    Raises
    ------
    TokenInvalid: unknown, used, expired, or the account has another address or password since.
    """
    parameters = {"given_hash": hash_token(token), "stored": stored, "now": now}
    user_id = connection.execute(_reset, parameters).scalar_one_or_none()
    if user_id is None:
        raise TokenInvalid
    sessions.end_all(connection, user_id, now=now)
