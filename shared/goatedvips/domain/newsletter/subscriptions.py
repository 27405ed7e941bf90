"""Newsletter subscriptions: asked for by anyone, in force once the address itself has confirmed (double opt-in)."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, false, func, null, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications import mailed_tokens
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.tokens import hash_token
from goatedvips.errors import DatabaseUnavailable, TokenInvalid
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions

MAILED_AT_MOST_EVERY = timedelta(hours=1)

_EMAIL = bindparam("asked_email", type_=subscriptions.c.email.type)
_SOURCE = bindparam("asked_source", type_=subscriptions.c.source.type)
# Locked before it is looked at, so that of two requests at once the second sees the first one's mail; and whatever its
# state, this statement writes and its commit waits for the disk: the answer comes as late for a subscribed address.
_known = (
    select(subscriptions.c.id, subscriptions.c.is_subscribed, subscriptions.c.confirmation_sent_at)
    .where(or_(subscriptions.c.email_key == func.lower(_EMAIL), subscriptions.c.email == _EMAIL))
    .order_by(subscriptions.c.is_subscribed.desc(), subscriptions.c.email_key.is_(None))
    .limit(1)
    .with_for_update()
    .cte("known")
)
_asked_again = (
    update(subscriptions)
    .where(
        subscriptions.c.id == _known.c.id,
        ~_known.c.is_subscribed,
        or_(
            _known.c.confirmation_sent_at.is_(None),
            _known.c.confirmation_sent_at
            <= bindparam("mailed_before", type_=subscriptions.c.confirmation_sent_at.type),
        ),
    )
    .values(confirmation_sent_at=NOW, source=func.coalesce(_SOURCE, subscriptions.c.source))
    .returning(subscriptions.c.id, subscriptions.c.email)
    .cte("asked_again")
)
_asked = (
    insert(subscriptions)
    .from_select(
        ["email", "email_key", "is_subscribed", "subscribed_at", "source", "confirmation_sent_at"],
        select(_EMAIL, func.lower(_EMAIL), false(), NOW, _SOURCE, NOW).where(~select(_known.c.id).exists()),
    )
    .on_conflict_do_nothing()
    .returning(subscriptions.c.id, subscriptions.c.email)
    .cte("asked")
)
_mailed = union_all(select(_asked_again), select(_asked)).subquery("mailed")
_confirmation = select(_mailed.c.email, func.jsonb_build_object("subscription_id", _mailed.c.id).label("payload"))
_TRIES = 50
# False: the insert met a row that was not there when the statement began, with the address or, in an adopted database,
# with the id.  There are two unique keys of the address, so the conflict has no single target.
_subscribe = (
    select(or_(select(_known.c.id).exists(), select(_asked.c.id).exists()))
    .add_cte(*queued("newsletter_confirmation", _confirmation))
    .execution_options(commit_in_flight=True)
)


def subscribe(connection: Connection, email: str, source: str | None, *, now: datetime) -> None:
    """Ask an address whether it wants the newsletter; at most once an hour, and not at all one that has it.

    Nothing but the mail tells whether the address was known: whoever asks learns nothing and changes no subscription.

    Parameters
    ----------
    source: where the subscription was asked for, as a front end names it.

    Raises
    ------
    DatabaseUnavailable: ids of the table are taken, again and again.
    """
    parameters = {"asked_email": email, "asked_source": source, "now": now, "mailed_before": now - MAILED_AT_MOST_EVERY}
    for _ in range(_TRIES):
        if connection.execute(_subscribe, parameters).scalar_one():
            return
    raise DatabaseUnavailable(retry_after=1)


_token = mailed_tokens.used("newsletter_confirmation")
# A token made before the address unsubscribed is dead: it must not bring back what was ended since.
_confirm = (
    update(subscriptions)
    .where(
        subscriptions.c.email == _token.c.address,
        or_(subscriptions.c.unsubscribed_at.is_(None), subscriptions.c.unsubscribed_at < _token.c.created_at),
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


def confirm(connection: Connection, token: str, *, address: str, now: datetime) -> str:
    """Put a subscription into force by the token that was mailed to its address; return that e-mail address.

    Parameters
    ----------
    address: the network address that the consent comes from, which is kept with it.

    Raises
    ------
    TokenInvalid: the token is unknown, used or expired, or older than the end of the subscription.
    """
    parameters = {"given_hash": hash_token(token), "consent_from": address, "now": now}
    email: str | None = connection.execute(_confirm, parameters).scalar_one_or_none()
    if email is None:
        raise TokenInvalid
    return email
