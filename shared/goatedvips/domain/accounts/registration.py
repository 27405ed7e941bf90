"""Registration of accounts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Text, bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError

from goatedvips.domain import attempts, erased_identities, unique_keys
from goatedvips.domain.access import NOW
from goatedvips.domain.accounts import mail_requests
from goatedvips.domain.wheel import seed_statements, seeds
from goatedvips.errors import EmailTaken, UsernameTaken
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.accounts import users

REGISTRATIONS = attempts.Throttle("register", limit=10, window=timedelta(hours=1))
"""Registrations from one client network."""

_take_lock = select(attempts.ATTEMPT_LOCK)
_record_attempt = attempts.attempt_statement(
    "register", REGISTRATIONS.opens_at(attempt_rows.c.address == attempts.CLIENT_NETWORK)
)


def record_attempt(connection: Connection, client_network: str, *, now: datetime) -> None:
    """Record a registration, or another request whose refusal reveals that an account exists, before any look-up.

    Raises
    ------
    TooManyAttempts
    """
    connection.execute(_take_lock, attempts.lock_parameters("register", client_network))
    attempts.record_attempt(connection, _record_attempt, "", client_network, now=now)


@dataclass(frozen=True, slots=True)
class Account:
    """A registered account."""

    id: int
    username: str
    email_verified: bool


_USERNAME = bindparam("given_username", type_=Text)
_EMAIL = bindparam("given_email", type_=Text)
# Any of the four unique keys may be violated: an adopted row may have the exact spelling and no key.
_insert_account = (
    insert(users)
    .values(
        username=_USERNAME,
        username_key=func.lower(_USERNAME),
        email=_EMAIL,
        email_key=func.lower(_EMAIL),
        password=bindparam("stored"),
        email_verified=False,
        created_at=NOW,
    )
    .returning(users.c.id, users.c.username, users.c.email_verified)
    .cte("account")
)
_register = select(_insert_account, mail_requests.advisory_lock(_EMAIL)).add_cte(
    seed_statements.insert_first_seeds(_insert_account).cte("seeds")
)
_NEW_ID = bindparam("new_id", type_=users.c.id.type)
_request = select(_NEW_ID.label("user_id"), _EMAIL.label("email")).cte("request")
_queue_verification = (
    select(_request.c.user_id)
    .add_cte(
        *mail_requests.request_mail("verification", "mail_own", _request),
        erased_identities.take_over_exclusion(_NEW_ID).cte("exclusion_taken_over"),
    )
    .execution_options(commit_in_flight=True)
)


def register(
    connection: Connection, username: str, email: str, stored: str, client_network: str, *, now: datetime
) -> Account:
    """Insert an account with its first wheel seeds, and queue the mail that verifies its e-mail address.

    An exclusion that is remembered for the address applies to the new account.

    Parameters
    ----------
    stored: the password as `passwords.hash_password` made it.
    client_network: the network that the request comes from.

    Raises
    ------
    UsernameTaken, EmailTaken: by another account, ignoring case.
    """
    parameters = {
        "given_username": username,
        "given_email": email,
        "stored": stored,
        "client_network": client_network,
        "now": now,
    }
    try:
        account = connection.execute(_register, parameters | seeds.new_seeds()).one()
    except IntegrityError as error:
        if unique_keys.violates(error, "username"):
            raise UsernameTaken from error
        if unique_keys.violates(error, "email"):
            raise EmailTaken from error
        raise
    connection.execute(_queue_verification, parameters | {"new_id": account.id})
    return Account(account.id, account.username, account.email_verified)
