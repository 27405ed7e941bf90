"""Newsletter subscriptions: anyone can ask for one, and it begins when the mailed token is used (double opt-in)."""

from datetime import datetime, timedelta

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain import attempts, erased_identities
from goatedvips.domain.access import NOW
from goatedvips.domain.attempts import CLIENT_NETWORK, Throttle
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.tokens import hash_token
from goatedvips.errors import DatabaseUnavailable, TokenInvalid
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions

ADDRESSES = Throttle("subscription", limit=20, window=timedelta(hours=1))
"""E-mail addresses that one client network may ask for. An address that it asks for again does not count again."""
CONFIRMATION_INTERVAL = timedelta(hours=1)  # between two confirmation mails to an address
CONFIRMATION_WINDOW = timedelta(days=30)  # in which an address gets at most three

_EMAIL = bindparam("asked_email", type_=subscriptions.c.email.type)
_SOURCE = bindparam("asked_source", type_=subscriptions.c.source.type)
_SUBJECT = func.encode(erased_identities.identity("email", _EMAIL), "hex")

# Each request within the limit does the same work whatever the state of the address, so that its duration does not
# reveal the state: it records an attempt, and writes one row of `newsletter_subscriptions` and one of `outbox`.
_is_repeat = exists().where(
    attempt_rows.c.kind == ADDRESSES.kind,
    attempt_rows.c.address == CLIENT_NETWORK,
    attempt_rows.c.subject == _SUBJECT,
    attempts.is_within(ADDRESSES.window, attempt_rows.c.attempted_at),
)
_throttle = select(
    ADDRESSES.opens_at(attempt_rows.c.address == CLIENT_NETWORK).is_(None).label("is_open"),
    _is_repeat.label("is_repeat"),
).cte("throttle")
_is_first = and_(select(_throttle.c.is_open).scalar_subquery(), ~select(_throttle.c.is_repeat).scalar_subquery())
_is_allowed = select(or_(_throttle.c.is_open, _throttle.c.is_repeat)).scalar_subquery()
_record_attempt = (
    attempts.insert_attempt(ADDRESSES.kind, _SUBJECT, CLIENT_NETWORK, _is_first)
    .returning(attempt_rows.c.id)
    .cte("attempt")
)
# Locked before its state is read, so that of two requests at once the second sees the confirmation mail of the first.
_lock_subscription = (
    select(
        subscriptions.c.id,
        subscriptions.c.is_subscribed,
        subscriptions.c.confirmation_sent_at,
        subscriptions.c.second_last_confirmation_at,
        subscriptions.c.third_last_confirmation_at,
    )
    .where(or_(subscriptions.c.email_key == func.lower(_EMAIL), subscriptions.c.email == _EMAIL), _is_allowed)
    .order_by(subscriptions.c.is_subscribed.desc(), subscriptions.c.email_key.is_(None))
    .limit(1)
    .with_for_update()
    .cte("locked")
)
_locked = _lock_subscription.c
_is_due = and_(
    ~_locked.is_subscribed,
    or_(
        _locked.confirmation_sent_at.is_(None),
        _locked.confirmation_sent_at <= bindparam("mailed_before", type_=subscriptions.c.confirmation_sent_at.type),
    ),
    or_(
        _locked.third_last_confirmation_at.is_(None),
        _locked.third_last_confirmation_at
        <= bindparam("window_begins", type_=subscriptions.c.third_last_confirmation_at.type),
    ),
)
_update_subscription = (
    update(subscriptions)
    .where(subscriptions.c.id == _locked.id)
    .values(
        confirmation_sent_at=case((_is_due, NOW), else_=_locked.confirmation_sent_at),
        second_last_confirmation_at=case(
            (_is_due, _locked.confirmation_sent_at), else_=_locked.second_last_confirmation_at
        ),
        third_last_confirmation_at=case(
            (_is_due, _locked.second_last_confirmation_at), else_=_locked.third_last_confirmation_at
        ),
        source=case((_is_due, func.coalesce(_SOURCE, subscriptions.c.source)), else_=subscriptions.c.source),
    )
    .returning(subscriptions.c.id, subscriptions.c.email, _is_due.label("is_due"))
    .cte("updated")
)
_insert_subscription = (
    insert(subscriptions)
    .from_select(
        ["email", "email_key", "is_subscribed", "subscribed_at", "source", "confirmation_sent_at"],
        select(_EMAIL, func.lower(_EMAIL), false(), NOW, _SOURCE, NOW).where(~select(_locked.id).exists(), _is_allowed),
    )
    .on_conflict_do_nothing()
    .returning(subscriptions.c.id, subscriptions.c.email, true().label("is_due"))
    .cte("inserted")
)
_changed = union_all(select(_update_subscription), select(_insert_subscription)).subquery("changed")
# If no mail is due, a dropped row without an address takes its place, once for each recorded attempt.
_confirmation = select(
    case((_changed.c.is_due, _changed.c.email)).label("email"),
    func.jsonb_build_object("subscription_id", _changed.c.id).label("payload"),
    case((~_changed.c.is_due, "no_mail_due")).label("dropped_reason"),
).where(or_(_changed.c.is_due, select(_record_attempt.c.id).exists()))
_TRIES = 50
# False: the insert met a row that was not there when the statement began, with the address or, in an adopted database,
# with the id. There are two unique keys of the address, so the conflict has no single target.
_subscribe = (
    select(or_(~_is_allowed, select(_locked.id).exists(), select(_insert_subscription.c.id).exists()))
    .add_cte(*queued("newsletter_confirmation", _confirmation))
    .execution_options(commit_in_flight=True)
)
_lock_network = select(attempts.ATTEMPT_LOCK)


def subscribe(connection: Connection, email: str, source: str | None, client_network: str, *, now: datetime) -> None:
    """Send a confirmation mail to an e-mail address, unless it is subscribed or had enough of them.

    Neither the answer nor its duration reveals whether the address has a subscription, and no subscription changes.

    Parameters
    ----------
    source: where the visitor subscribed, as a front end names it.
    client_network: where the request comes from. Beyond the limit of `ADDRESSES` nothing is written.

    Raises
    ------
    DatabaseUnavailable: ids of the table are taken, again and again.
    """
    connection.execute(_lock_network, attempts.lock_parameters(ADDRESSES.kind, client_network))
    parameters = {
        "asked_email": email,
        "asked_source": source,
        "client_network": client_network,
        "now": now,
        "mailed_before": now - CONFIRMATION_INTERVAL,
        "window_begins": now - CONFIRMATION_WINDOW,
    }
    for _ in range(_TRIES):
        if connection.execute(_subscribe, parameters).scalar_one():
            return
    raise DatabaseUnavailable(retry_after=1)


_use_token = mailed_tokens.use_token("newsletter_confirmation")
# A token from before the subscription ended does not work: it must not bring the subscription back.
_confirm = (
    update(subscriptions)
    .where(
        subscriptions.c.email == _use_token.c.address,
        or_(subscriptions.c.unsubscribed_at.is_(None), subscriptions.c.unsubscribed_at < _use_token.c.created_at),
    )
    .values(
        is_subscribed=True,
        subscribed_at=NOW,
        confirmed_at=NOW,
        consent_address=bindparam("consent_from", type_=subscriptions.c.consent_address.type),
        unsubscribed_at=null(),
    )
    .returning(subscriptions.c.email)
    .execution_options(commit_in_flight=True)
)


def confirm(connection: Connection, token: str, *, client_network: str, now: datetime) -> str:
    """Begin the subscription of the e-mail address that a token was mailed to; return that address.

    Parameters
    ----------
    client_network: where the confirmation comes from. It is stored as evidence of consent.

    Raises
    ------
    TokenInvalid: the token is unknown, used or expired, or is from before the subscription ended.
    """
    parameters = {"given_hash": hash_token(token), "consent_from": client_network, "now": now}
    email: str | None = connection.execute(_confirm, parameters).scalar_one_or_none()
    if email is None:
        raise TokenInvalid
    return email
