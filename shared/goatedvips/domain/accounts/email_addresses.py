"""The address that a member is reached at: how it is proved, and changed for another one."""

from datetime import datetime

from sqlalchemy import Connection, Text, and_, bindparam, func, literal, or_, select, union_all, update
from sqlalchemy.exc import IntegrityError

from goatedvips.domain import access, attempts, erased_identities, unique_keys
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.accounts import credentials, mail_requests
from goatedvips.domain.accounts.log_in import LogInAttempt
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.tokens import hash_token
from goatedvips.errors import EmailTaken, TokenInvalid
from goatedvips.models.accounts import users

_member = access.member()
_reader = access.member(only_reads=True)
_own_turn = select(mail_requests.advisory_lock(users.c.email)).join(_reader, _reader.c.id == users.c.id)
_unverified = (
    select(users.c.id.label("user_id"), users.c.email)
    .join(_member, _member.c.id == users.c.id)
    .where(users.c.email_verified.is_not(True))
    .cte("unverified")
)
_request_verification = (
    select(_member.c.id)
    .add_cte(*mail_requests.asked_for("verification", _unverified))
    .execution_options(commit_in_flight=True)
)


def request_verification(connection: Connection, caller: Caller, client_network: str, *, now: datetime) -> None:
    """Mail the link once more that proves the caller's address; not where it is proved.

    Parameters
    ----------
    client_network: the network that the request comes from.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now) | {"client_network": client_network}
    access.one(connection, _own_turn, caller, parameters, now=now)
    connection.execute(_request_verification, parameters)


_NEW_EMAIL = bindparam("new_email", type_=Text)
_turn = select(mail_requests.advisory_lock(_NEW_EMAIL))
_proved = access.proved()
_taken = (
    select(users.c.id)
    .where(
        or_(users.c.email == _NEW_EMAIL, users.c.email_key == func.lower(_NEW_EMAIL)),
        users.c.id != access.CALLER_ID,  # who may write their own in another case
    )
    .exists()
)
_asked = select(_proved.c.id.label("user_id"), _NEW_EMAIL.label("email")).where(~_taken).cte("asked")
_request_change = (
    select(_proved.c.id, _taken.label("taken"))
    .add_cte(attempts.attempt_removed(_proved), *mail_requests.asked_for("email_change", _asked))
    .execution_options(commit_in_flight=True)
)


def request_change(
    connection: Connection, caller: Caller, attempt: LogInAttempt, email: str, client_network: str, *, now: datetime
) -> None:
    """Mail a link to the address that the caller wishes to have; nothing changes until it is used.

    Parameters
    ----------
    attempt: the proof of the caller's password, which is taken back.
    client_network: the network that the request comes from.

    Raises
    ------
    EmailTaken: by another member, ignoring case.
    Unauthenticated, AccountSuspended, InvalidCredentials
    """
    parameters = credentials.proof(caller, attempt, now) | {"new_email": email, "client_network": client_network}
    connection.execute(_turn, parameters)
    row = connection.execute(_request_change, parameters).one_or_none()
    if row is None:
        credentials.refuse(connection, caller, now=now)
    if row.taken:
        raise EmailTaken


_token = mailed_tokens.used("email_verification", "email_change")
_is_change = _token.c.purpose == "email_change"
# Locked, so it is read again after a wait: of two changes, or of a change and a reset, one comes after the other.
_owner = (
    select(
        users.c.id,
        users.c.email.label("old_email"),
        _token.c.address,
        _is_change.label("is_change"),
        erased_identities.is_kept_for_address(users.c).label("remembered"),
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
_verified = (
    update(users)
    .where(users.c.id == _owner.c.id, ~_owner.c.is_change)
    .values(email_verified=True)
    .returning(users.c.id)
    .cte("verified")
)
_changed = (
    update(users)
    .where(users.c.id == _owner.c.id, _owner.c.is_change)
    .values(
        email=_owner.c.address,
        email_key=func.lower(_owner.c.address),
        email_verified=True,
        credentials_changed_at=NOW,
    )
    .returning(users.c.id, users.c.excluded_until, users.c.excluded_permanently)
    .cte("changed")
)
_old_remembered = erased_identities.remembering(
    select(
        erased_identities.identity("email", _owner.c.old_email),
        _changed.c.excluded_until,
        _changed.c.excluded_permanently,
    )
    .join(_changed, _changed.c.id == _owner.c.id)
    .where(_owner.c.remembered)
).cte("old_remembered")
_notified = (
    select(_changed.c.id.label("user_id"), _owner.c.old_email.label("email"))
    .join(_owner, _owner.c.id == _changed.c.id)
    .where(_owner.c.old_email != _owner.c.address)
)
_use = union_all(
    select(_verified.c.id, literal(value=False).label("is_change")),
    select(_changed.c.id, literal(value=True)),
).add_cte(*queued("email_changed", _notified), _old_remembered)
_carry_over = erased_identities.carrying_over(bindparam("owner_id", type_=users.c.id.type)).execution_options(
    commit_in_flight=True
)


def verify(connection: Connection, token: str, *, verified_email_required: bool, now: datetime) -> None:
    """Take a mailed token as the proof that the member reads mail at an address: theirs, or the one they wished for.

    In the second case it becomes theirs, the old one is told, and other changes that were asked for before are void.
    An exclusion that is kept for the new address, since its member was erased, holds for whoever has it now; that of an
    excluded member is kept for the old one.

    Parameters
    ----------
    verified_email_required: the platform's setting for play.

    Raises
    ------
    TokenInvalid: unknown, used, expired, or the account has another address or password since.
    EmailTaken: by another member, since it was asked for.
    """
    parameters = {
        "given_hash": hash_token(token),
        "verified_email_required": verified_email_required,
        "now": now,
    }
    try:
        proved = connection.execute(_use, parameters).one_or_none()
    except IntegrityError as error:
        if unique_keys.violates(error, "email"):
            raise EmailTaken from error
        raise
    if proved is None:
        raise TokenInvalid
    if proved.is_change:
        connection.execute(_carry_over, {"owner_id": proved.id})
