"""The newsletter's subscriptions, as staff read them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, case, exists, or_, select

from goatedvips.domain import access, pagination
from goatedvips.domain.access import Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions

type State = Literal["subscribed", "unsubscribed", "pending"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription, pending and ended ones included.

    Parameters
    ----------
    subscribed_at: when it began; when it was asked for if it is pending.
    confirmed_at: when the mailed token was used; None: it is pending, or the legacy application's.
    consent_network: the client network that the confirmation came from.
    """

    id: int
    email: str
    state: State
    source: str | None
    subscribed_at: datetime
    confirmed_at: datetime | None
    consent_network: str | None
    unsubscribed_at: datetime | None


_KEYSET = Keyset(subscriptions.c.id)
# The legacy application ended a subscription without always writing when.
_has_ended = or_(subscriptions.c.unsubscribed_at.is_not(None), subscriptions.c.confirmation_sent_at.is_(None))
_select_for_staff = _KEYSET.page_of(
    select(
        subscriptions.c.id,
        subscriptions.c.email,
        case((subscriptions.c.is_subscribed, "subscribed"), (_has_ended, "unsubscribed"), else_="pending").label(
            "state"
        ),
        subscriptions.c.source,
        subscriptions.c.subscribed_at,
        subscriptions.c.confirmed_at,
        subscriptions.c.consent_address.label("consent_network"),
        subscriptions.c.unsubscribed_at,
    ).where(exists(select(access.staff().c.id)))
)


def newest(
    connection: Connection, caller: Caller, *, limit: int, cursor: str | None, now: datetime
) -> pagination.Page[Subscription]:
    """Return a page of all subscriptions for staff, newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    Unauthenticated, AccountSuspended, Forbidden
    """
    return pagination.newest(
        connection,
        _select_for_staff,
        caller.parameters(now),
        lambda row: Subscription(**row._mapping),
        by=_KEYSET,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )
