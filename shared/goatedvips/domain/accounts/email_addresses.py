"""Verification and change of members' e-mail addresses."""

from datetime import datetime

from sqlalchemy import Connection, Text, and_, bindparam, func, literal, or_, select, union_all, update
from sqlalchemy.exc import IntegrityError

from goatedvips.domain import access, attempts, erased_identities, unique_keys
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.accounts import credentials, mail_requests
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.notifications import mail_blocks, mailed_tokens
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.tokens import hash_token
from goatedvips.errors import EmailTaken, TokenInvalid
from goatedvips.models.accounts import users

_member = access.member()
_reader = access.member(only_reads=True)
_lock_own_address = select(mail_requests.advisory_lock(users.c.email)).join(_reader, _reader.c.id == users.c.id)
_unverified = (
    select(users.c.id.label("user_id"), users.c.email)
    .join(_member, _member.c.id == users.c.id)
    .where(users.c.email_verified.is_not(True))
    .cte("unverified")
)
_request_verification = (
    select(_member.c.id)
    .add_cte(*mail_requests.request_mail("verification", "mail_own", _unverified))
    .execution_options(commit_in_flight=True)
)


def request_verification(connection: Connection, caller: Caller, client_network: str, *, now: datetime) -> None:
    """Queue another mail with a link that verifies the caller's address, unless it is verified.

    Parameters
    ----------
    client_network: the network that the request comes from.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now) | {"client_network": client_network}
    access.one(connection, _lock_own_address, caller, parameters, now=now)
    connection.execute(_request_verification, parameters)


_NEW_EMAIL = bindparam("new_email", type_=Text)
_lock_new_address = select(mail_requests.advisory_lock(_NEW_EMAIL))
_proved = access.proven_member()
_taken = (
    select(users.c.id)
    .where(
        or_(users.c.email == _NEW_EMAIL, users.c.email_key == func.lower(_NEW_EMAIL)),
        users.c.id != access.CALLER_ID,  # a member may change the case of their own address
    )
    .exists()
)
_request = (
    select(
        users.c.id.label("user_id"),
        _NEW_EMAIL.label("email"),
        (func.lower(users.c.email) == func.lower(_NEW_EMAIL)).label("is_own"),
    )
    .join(_proved, _proved.c.id == users.c.id)
    .where(~_taken)
    .cte("request")
)
_request_change = (
    select(_proved.c.id, _taken.label("taken"))
    .add_cte(attempts.attempt_removed(_proved), *mail_requests.request_mail("email_change", "mail_change", _request))
    .execution_options(commit_in_flight=True)
)


def request_change(
    connection: Connection, caller: Caller, attempt: LogInAttempt, email: str, client_network: str, *, now: datetime
) -> None:
    """Queue a mail with a link to the caller's new address. The address changes when the link is used.

    Parameters
    ----------
    attempt: the attempt in which the password was right; it is removed.
    client_network: the network that the request comes from.

    Raises
    ------
    EmailTaken: another member has the address, ignoring case.
    Unauthenticated, AccountSuspended, InvalidCredentials
    """
    parameters = credentials.proof(caller, attempt, now) | {"new_email": email, "client_network": client_network}
    connection.execute(_lock_new_address, parameters)
    row = connection.execute(_request_change, parameters).one_or_none()
    if row is None:
        credentials.refuse(connection, caller, now=now)
    if row.taken:
        raise EmailTaken


_token = mailed_tokens.use_token("email_verification", "email_change")
_is_change = _token.c.purpose == "email_change"
# FOR UPDATE: a statement that waited for the row checks its conditions again. Two changes, or a change and a reset, of
# one member therefore run one after the other.
_owner = (
    select(
        users.c.id,
        users.c.email.label("old_email"),
        _token.c.address,
        _is_change.label("is_change"),
        erased_identities.is_remembered_for_email(users.c).label("is_remembered"),
    )
    .join(_token, _token.c.user_id == users.c.id)
    .where(
        or_(
            and_(~_is_change, users.c.email == _token.c.address),
            and_(_is_change, mailed_tokens.is_wanted(_token.c.created_at)),
        )
    )
    .with_for_update(of=users)
    .cte("owner")
)
_set_verified = (
    update(users)
    .where(users.c.id == _owner.c.id, ~_owner.c.is_change)
    .values(email_verified=True)
    .returning(users.c.id)
    .cte("set_verified")
)
_change_email = (
    update(users)
    .where(users.c.id == _owner.c.id, _owner.c.is_change)
    .values(
        email=_owner.c.address,
        email_key=func.lower(_owner.c.address),
        email_verified=True,
        credentials_changed_at=NOW,
    )
    .returning(users.c.id, users.c.excluded_until, users.c.excluded_permanently)
    .cte("change_email")
)
_remember_old_email = erased_identities.remember(
    select(
        erased_identities.identity("email", _owner.c.old_email),
        _change_email.c.excluded_until,
        _change_email.c.excluded_permanently,
        _change_email.c.id,
    )
    .join(_change_email, _change_email.c.id == _owner.c.id)
    .where(_owner.c.is_remembered)
).cte("remember_old_email")
_old_address = (
    select(_change_email.c.id.label("user_id"), _owner.c.old_email.label("email"))
    .join(_owner, _owner.c.id == _change_email.c.id)
    .where(_owner.c.old_email != _owner.c.address)
)
_use_token = union_all(
    select(_set_verified.c.id, literal(value=False).label("is_change")),
    select(_change_email.c.id, literal(value=True)),
).add_cte(
    *queued("email_changed", _old_address),
    _remember_old_email,
    mail_blocks.end_blocks(select(_owner.c.address).scalar_subquery(), of_complaints=True),
)
_take_over_exclusion = erased_identities.take_over_exclusion(
    bindparam("owner_id", type_=users.c.id.type)
).execution_options(commit_in_flight=True)


def verify(connection: Connection, token: str, *, verified_email_required: bool, now: datetime) -> None:
    """Use a mailed token: verify the member's present address, or change it to the new one.

    A change also queues a notice to the old address, and invalidates all earlier requests for changes and resets.  An
    exclusion that is remembered for the new address applies to the member; an exclusion of the member is remembered for
    the old address.

    Parameters
    ----------
    verified_email_required: whether play needs a verified e-mail address (a setting).

    Raises
    ------
    TokenInvalid: unknown, used, expired, or the account has another address or password since.
    EmailTaken: another member took the address since the request.
    """
    parameters = {
        "given_hash": hash_token(token),
        "verified_email_required": verified_email_required,
        "now": now,
    }
    try:
        used = connection.execute(_use_token, parameters).one_or_none()
    except IntegrityError as error:
        if unique_keys.violates(error, "email"):
            raise EmailTaken from error
        raise
    if used is None:
        raise TokenInvalid
    if used.is_change:
        connection.execute(_take_over_exclusion, {"owner_id": used.id})
