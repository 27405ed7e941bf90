"""Checks of a signed-in member's password, and changes and resets of passwords.

Changing the password or the e-mail address and erasing the account take the current password.  The handler records the
attempt (`begin_attempt`), which commits; compares outside a transaction; and opens a second transaction for a statement
that starts from `access.proven_member` and removes the attempt (`attempts.attempt_removed`).  If that statement has no
row, `refuse` raises the reason.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection, Text, bindparam, func, literal, or_, select, true, update

from goatedvips.domain import access, attempts
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.accounts import log_in, mail_requests, sessions
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.notifications import mail_blocks, mailed_tokens
from goatedvips.domain.tokens import hash_token
from goatedvips.errors import InvalidCredentials, TokenInvalid
from goatedvips.models.accounts import mailed_tokens as tokens
from goatedvips.models.accounts import users

_lock = select(attempts.ATTEMPT_LOCK).subquery("lock")
_caller = access.member(only_reads=True)
_select_own = (
    select(_lock.c.attempt_lock, users.c.id, users.c.password)
    .select_from(_lock.join(_caller, true()))
    .join(users, users.c.id == _caller.c.id)
)


def begin_attempt(connection: Connection, caller: Caller, client_network: str, *, now: datetime) -> LogInAttempt:
    """Record an attempt to prove the caller's password before it is compared.

    It counts together with log-in attempts, so a stolen session token does not allow more guesses.

    Raises
    ------
    TooManyAttempts, Unauthenticated, AccountSuspended
    """
    own = access.one(connection, _select_own, caller, attempts.lock_parameters("log_in", client_network), now=now)
    return LogInAttempt(log_in.record_guess(connection, str(own.id), client_network, now=now), own.id, own.password)


def proof(caller: Caller, attempt: LogInAttempt, now: datetime) -> dict[str, object]:
    """Return what `access.proven_member` and `attempts.attempt_removed` are bound to."""
    return caller.parameters(now) | {"compared": attempt.password, "attempt_id": attempt.id}


def refuse(connection: Connection, caller: Caller, *, now: datetime) -> NoReturn:
    """Raise the reason why `access.proven_member` has no row.

    Raises
    ------
    Unauthenticated, AccountSuspended
    InvalidCredentials: the password was changed since it was compared.
    """
    access.explain(connection, caller, now=now)
    raise InvalidCredentials


@dataclass(frozen=True, slots=True)
class Names:
    """The identifiers of an account, which its password must not be equal to."""

    username: str
    email: str


_select_own_names = select(users.c.username, users.c.email).join(_caller, _caller.c.id == users.c.id)


def read_own_names(connection: Connection, caller: Caller, *, now: datetime) -> Names:
    """Return what the caller's new password must not be.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    row = access.one(connection, _select_own_names, caller, {}, now=now)
    return Names(row.username, row.email)


_STORED = bindparam("stored", type_=users.c.password.type)
_proved = access.proven_member()
_store_password = (
    update(users)
    .where(users.c.id == _proved.c.id)
    .values(password=_STORED, credentials_changed_at=NOW)
    .returning(users.c.id)
    .cte("store_password")
)
_change_password = select(_store_password.c.id).add_cte(attempts.attempt_removed(_proved))


def change_password(
    connection: Connection, caller: Caller, attempt: LogInAttempt, stored: str, *, now: datetime
) -> None:
    """Store the caller's new password, and end their other sessions.

    Parameters
    ----------
    attempt: the attempt in which the current password was right; it is removed.
    stored: the new password as `passwords.hash_password` made it.

    Raises
    ------
    Unauthenticated, AccountSuspended, InvalidCredentials
    """
    parameters = proof(caller, attempt, now) | {"stored": stored}
    if connection.execute(_change_password, parameters).one_or_none() is None:
        refuse(connection, caller, now=now)
    sessions.end_all(connection, caller.user_id, but=caller.session_id, now=now)


_EMAIL = bindparam("asked_email", type_=Text)
_lock_address = select(mail_requests.advisory_lock(_EMAIL))
_account = (
    select(users.c.id, users.c.email)
    .where(
        or_(users.c.email == _EMAIL, users.c.email_key == func.lower(_EMAIL)),
        users.c.suspended_at.is_(None),
        users.c.erased_at.is_(None),
    )
    .order_by((users.c.email == _EMAIL).desc())
    .limit(1)
    .with_for_update(
        of=users, read=True, key_share=True
    )  # FOR KEY SHARE, as in `access.member`: an erasure waits for it
    .cte("account")
)
_request = (
    select(_account.c.id.label("user_id"), func.coalesce(_account.c.email, _EMAIL).label("email"))
    .select_from(select(literal(1)).subquery("one_row").outerjoin(_account, true()))
    .cte("request")
)
# The statement writes, and its commit waits for the disk, whether or not an account has the address: the answer takes
# as long.
_request_reset = (
    select(_request.c.email)
    .add_cte(*mail_requests.request_mail("password_reset", "mail_reset", _request))
    .execution_options(commit_in_flight=True)
)


def request_reset(connection: Connection, email: str, client_network: str, *, now: datetime) -> None:
    """Queue a mail with a link to set a new password, if an account has the address: exactly, or else ignoring case.

    The answer reveals nothing.  A suspended account gets no mail, because no password opens it.

    Parameters
    ----------
    client_network: the network that the request comes from.
    """
    parameters = {"asked_email": email, "client_network": client_network, "now": now}
    connection.execute(_lock_address, parameters)
    connection.execute(_request_reset, parameters)


_select_names_by_token = (
    select(users.c.username, users.c.email)
    .join(tokens, tokens.c.user_id == users.c.id)
    .where(
        mailed_tokens.is_valid("password_reset"),
        users.c.email == tokens.c.address,
        mailed_tokens.is_wanted(tokens.c.created_at),
    )
)


def read_names_by_token(connection: Connection, token: str, *, now: datetime) -> Names:
    """Return what the password that a mailed token sets must not be; the token is not used up.

    Raises
    ------
    TokenInvalid: unknown, used, expired, or the account has another address or password since.
    """
    row = connection.execute(_select_names_by_token, {"given_hash": hash_token(token), "now": now}).one_or_none()
    if row is None:
        raise TokenInvalid
    return Names(row.username, row.email)


_token = mailed_tokens.use_token("password_reset")
# READ COMMITTED: a statement that waited for the row checks the conditions again, so the second of two tokens used at
# once finds a new password and updates nothing.
_reset_password = (
    update(users)
    .where(
        users.c.id == _token.c.user_id, users.c.email == _token.c.address, mailed_tokens.is_wanted(_token.c.created_at)
    )
    .values(password=_STORED, credentials_changed_at=NOW, email_verified=True)
    .returning(users.c.id)
    .add_cte(mail_blocks.end_blocks(select(_token.c.address).scalar_subquery(), of_complaints=False))
)


def reset_password(connection: Connection, token: str, stored: str, *, now: datetime) -> None:
    """Store a new password by a mailed token, and end all sessions. The token also verifies the e-mail address.

    Parameters
    ----------
    stored: the new password as `passwords.hash_password` made it.

    Raises
    ------
    TokenInvalid: unknown, used, expired, or the account has another address or password since.
    """
    parameters = {"given_hash": hash_token(token), "stored": stored, "now": now}
    user_id = connection.execute(_reset_password, parameters).scalar_one_or_none()
    if user_id is None:
        raise TokenInvalid
    sessions.end_all(connection, user_id, now=now)
