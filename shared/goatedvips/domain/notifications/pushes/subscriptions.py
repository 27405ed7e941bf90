"""Push subscriptions: the browsers in which a member wants to be notified."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, literal, null, select, true
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain import access, attempts
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.errors import ValidationFailed
from goatedvips.models.notifications import push_subscriptions as subscriptions

MOST_SUBSCRIPTIONS = 20
"""Of one member."""


@dataclass(frozen=True, slots=True)
class PushSubscription:
    """A push subscription of a member."""

    id: int
    endpoint: str
    created_at: datetime


_ENDPOINT = bindparam("endpoint", type_=subscriptions.c.endpoint.type)
_member = access.member()
_others = (
    select(func.count())
    .select_from(subscriptions)
    .where(subscriptions.c.user_id == CALLER_ID, subscriptions.c.endpoint != _ENDPOINT)
    .scalar_subquery()
)
_values = {
    "user_id": _member.c.id,
    "endpoint": _ENDPOINT,
    "p256dh": bindparam("p256dh", type_=subscriptions.c.p256dh.type),
    "auth": bindparam("auth", type_=subscriptions.c.auth.type),
    "created_at": NOW,
}
_insert = insert(subscriptions).from_select(
    [*_values], select(*_values.values()).where(_others < literal(MOST_SUBSCRIPTIONS))
)
_move = (
    _insert.on_conflict_do_update(
        index_elements=[subscriptions.c.endpoint],
        set_={name: _insert.excluded[name] for name in ("user_id", "p256dh", "auth", "created_at")}
        | {"failures": 0, "last_success_at": null()},
    )
    .returning(subscriptions.c.id, subscriptions.c.endpoint, subscriptions.c.created_at)
    .cte("added")
)
_add_subscription = (
    select(_member.c.id.label("member_id"), _move)
    .select_from(_member.outerjoin(_move, true()))
    .execution_options(commit_in_flight=True)
)
_remove = (
    delete(subscriptions)
    .where(subscriptions.c.user_id == _member.c.id, subscriptions.c.endpoint == _ENDPOINT)
    .cte("removed")
)
_remove_subscription = select(_member.c.id).add_cte(_remove).execution_options(commit_in_flight=True)


def add(
    connection: Connection, caller: Caller, *, endpoint: str, p256dh: str, auth: str, now: datetime
) -> PushSubscription:
    """Add a push subscription of the caller. One with the same endpoint becomes this one, whoever's it was.

    Parameters
    ----------
    endpoint: at a known push service, without its port.
    p256dh, auth: the browser's keys, as base64url without padding.

    Raises
    ------
    ValidationFailed: the caller has 20 others.
    Unauthenticated, AccountSuspended
    """
    # The lock is a statement of its own, because the next one counts what was committed before it began.
    connection.execute(select(attempts.ATTEMPT_LOCK), {"lock_name": f"push:{caller.user_id}"})
    given = {"endpoint": endpoint, "p256dh": p256dh, "auth": auth}
    row = access.one(connection, _add_subscription, caller, given, now=now)
    if row.id is None:
        detail = f"is one too many: a member has at most {MOST_SUBSCRIPTIONS} push subscriptions"
        raise ValidationFailed(errors=[{"pointer": "/endpoint", "detail": detail}])
    return PushSubscription(row.id, row.endpoint, row.created_at)


def remove(connection: Connection, caller: Caller, endpoint: str, *, now: datetime) -> None:
    """End a push subscription of the caller, if there is one with this endpoint.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    access.one(connection, _remove_subscription, caller, {"endpoint": endpoint}, now=now)
