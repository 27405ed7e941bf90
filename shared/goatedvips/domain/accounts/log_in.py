"""Logging in: an attempt is recorded before the password is compared, and removed if the password was right."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Connection,
    Delete,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from goatedvips.domain import attempts, erased_identities
from goatedvips.domain.access import COMPARED, NOW
from goatedvips.domain.accounts import passwords
from goatedvips.domain.accounts.authentication import SESSION_LIFETIME
from goatedvips.domain.tokens import hash_token, new_token
from goatedvips.errors import AccountSuspended, InvalidCredentials
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.accounts import sessions, users

GUESSES = attempts.Throttle("log_in", limit=10, window=timedelta(minutes=15))
"""Guesses at the password of one account from one client network."""
GUESSES_FROM_NETWORK = attempts.Throttle("log_in", limit=50, window=timedelta(minutes=15))
"""Guesses from one client network at the passwords of all accounts."""


@dataclass(frozen=True, slots=True)
class LogInAttempt:
    """A recorded attempt to prove a password; without an account if the login names none."""

    id: int
    account_id: int | None
    password: str | None
    """The stored password."""

    @property
    def removal(self) -> Delete:
        """The statement that removes the attempt, for `db.transaction(if_unavailable=…)`."""
        return attempts.delete_attempt(self.id)


@dataclass(frozen=True, slots=True)
class User:
    """The member who logged in."""

    id: int
    username: str
    email: str
    email_verified: bool
    is_staff: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session with its token. Only the token's hash is stored."""

    token: str
    expires_at: datetime
    user: User


_LOGIN = bindparam("login", type_=Text)
_BARE_LOGIN = bindparam("bare_login", type_=Text)
_ASCII_LOGIN = bindparam("ascii_login", type_=Text)
# In the order of preference.
_matches = [
    match
    for login in (_LOGIN, _BARE_LOGIN, _ASCII_LOGIN)
    for match in (
        users.c.username == login,
        users.c.email == login,
        users.c.username_key == func.lower(login),
        users.c.email_key == func.lower(login),
    )
]
_account = (
    select(users.c.id, users.c.password)
    .where(or_(*_matches))
    .order_by(case(*((match, rank) for rank, match in enumerate(_matches))))
    .limit(1)
    .subquery("account")
)
_lock = select(attempts.ATTEMPT_LOCK).subquery("lock")
# The subject of a login without an account is a keyed hash, because the login may be an erased e-mail address, or a
# password typed into the wrong field. It is computed by PostgreSQL, whose lower() differs from Python's for some
# letters.
_login_hash = func.encode(erased_identities.identity("login", _ASCII_LOGIN), "hex")
_select_account = select(
    _lock.c.attempt_lock, _account.c.id, _account.c.password, _login_hash.label("login_hash")
).select_from(_lock.outerjoin(_account, true()))
_from_network = attempt_rows.c.address == attempts.CLIENT_NETWORK
_record_guess = attempts.attempt_statement(
    "log_in",
    func.greatest(
        GUESSES.opens_at(and_(attempt_rows.c.subject == attempts.SUBJECT, _from_network)),
        GUESSES_FROM_NETWORK.opens_at(_from_network),
        type_=attempt_rows.c.attempted_at.type,
    ),
)


def begin_attempt(
    connection: Connection, login: str, bare_login: str, ascii_login: str, client_network: str, *, now: datetime
) -> LogInAttempt:
    """Find the account that a login names, and record the attempt before its password is compared.

    Parameters
    ----------
    login: a username or an e-mail address as it was sent; it is matched exactly, then ignoring case.
    bare_login: the same without white space around it; matched after `login`.
    ascii_login: the same, the domain of an e-mail address in ASCII; matched last, because an adopted address can have
        another domain.
    client_network: the network that the request comes from, as in `attempts.CLIENT_NETWORK`.

    Raises
    ------
    TooManyAttempts
    """
    logins = {"login": login, "bare_login": bare_login, "ascii_login": ascii_login}
    parameters = logins | attempts.lock_parameters("log_in", client_network)
    account = connection.execute(_select_account, parameters).one()
    attempt_id = record_guess(connection, str(account.id or account.login_hash), client_network, now=now)
    return LogInAttempt(attempt_id, account.id, account.password)


def record_guess(connection: Connection, subject: str, client_network: str, *, now: datetime) -> int:
    """Record a guess at a password and return the attempt's id. The transaction holds `ATTEMPT_LOCK`.

    Parameters
    ----------
    subject: the account's id in decimal, or a keyed hash of a login that names no account.

    Raises
    ------
    TooManyAttempts
    """
    return attempts.record_attempt(connection, _record_guess, subject, client_network, now=now)


# Updates no row, and then opens no session, if the password or the right to log in has changed since the comparison.
_store_password = (
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
        users.c.is_admin.label("is_staff"),
    )
    .cte("account")
)
# SQLAlchemy would write a parameter that has the name of a column of an updated table into that column.
_TOKEN_HASH = bindparam("given_hash", type_=sessions.c.token_hash.type)
_EXPIRES_AT = bindparam("session_expires_at", type_=sessions.c.expires_at.type)
_insert_session = (
    insert(sessions)
    .from_select(
        ["user_id", "token_hash", "created_at", "expires_at"],
        select(_store_password.c.id, _TOKEN_HASH, NOW, _EXPIRES_AT),
    )
    .cte("insert_session")
)
_open_session = (
    select(_store_password)
    .add_cte(attempts.attempt_removed(_store_password), _insert_session)
    .execution_options(commit_in_flight=True)
)
_select_present = select(users.c.password, users.c.suspended_at).where(users.c.id == bindparam("account_id"))


def open_session(
    connection: Connection, attempt: LogInAttempt, password: str, stored: str, *, now: datetime
) -> NewSession:
    """Open a session for the member who proved their password, and remove the attempt.

    Parameters
    ----------
    password: the password that was right.
    stored: what to store as the password, as `passwords.verify_and_upgrade` returned it.

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
        "session_expires_at": now + SESSION_LIFETIME,
        "now": now,
    }
    account = connection.execute(_open_session, parameters).one_or_none()
    if account is None:
        present = connection.execute(_select_present, parameters).one()
        if present.suspended_at is not None:
            raise AccountSuspended(leaves=attempt.removal)
        # A concurrent log-in may have stored the same password in the present format.
        if not passwords.matches(present.password, password):
            raise InvalidCredentials
        again = parameters | {"compared": present.password, "stored": present.password}
        account = connection.execute(_open_session, again).one_or_none()
    if account is None:
        raise InvalidCredentials
    return NewSession(token, now + SESSION_LIFETIME, User(**account._mapping))
