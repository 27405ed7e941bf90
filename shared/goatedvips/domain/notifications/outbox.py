"""The outbox: the only place where notifications are queued. `sending` takes them from there.

Rows are inserted by the statement whose effect they report, so they commit with it or not at all. A kind that members
get by push and in their inbox is queued for these too.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Interval,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    select,
)

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.kinds import KINDS, Kind
from goatedvips.domain.notifications.preferences.switches import is_wanted
from goatedvips.models.accounts import users
from goatedvips.models.notifications import notification_preferences, notifications, outbox, push_subscriptions

WAITING = and_(outbox.c.sent_at.is_(None), outbox.c.failed_at.is_(None), outbox.c.dropped_at.is_(None))
"""A row that still waits to be sent, now or when it is due. The index `outbox_channel_turn_idx` has these rows only."""

_OPTIONAL = {
    "user_id": "user_id",
    "email": "address",
    "payload": "payload",
    "dropped_reason": "dropped_reason",
    "expires_at": "expires_at",
    "campaign_id": "campaign_id",
}


def queued(kind: str, rows: Select[Any]) -> tuple[CTE, ...]:
    """Return the inserts that queue one notification for each of `rows`.

    The caller adds them to its statement (`.add_cte(*queued(…))`), which is bound to `now`. Each row becomes a mail. If
    the kind is one for members, it also becomes a row of the member's inbox, if they want it, and a push message for
    each of their push subscriptions, which is of no use when the TTL of the kind has passed. Whether mail and push
    messages are wanted is decided when they are sent.

    Parameters
    ----------
    kind: a name in `KINDS`.
    rows: a select with any of these columns: `user_id`, the member (required for a kind for members); `email`, the
        recipient (null or absent: the staff); `payload`, JSON; `due_at`, when it may be sent at the earliest (absent:
        at once); `expires_at`, from when on it is of no use (null or absent: never); `campaign_id`, of a campaign's
        mail; `dropped_reason`, if it is not null, writes a mail that is never sent.

    Raises
    ------
    LookupError: the kind is unknown, or a column is none of these.
    """
    definition = KINDS[kind]
    name = f"{definition.name}_rows"
    source: FromClause = rows.cte(name) if definition.has_inbox else rows.subquery(name)
    if unknown := set(source.c.keys()) - {*_OPTIONAL, "due_at"}:
        raise LookupError(f"the outbox has no {', '.join(sorted(unknown))}")
    mail = _insert_mail(definition, source)
    if not definition.has_inbox:
        return (mail,)
    return mail, _insert_inbox(definition, source), _insert_push(definition, source)


def withdrawn(user_id: ColumnElement[int], is_unwanted: ColumnElement[bool]) -> CTE:
    """Return the delete of what a member's inbox would show only later, for a statement bound to `now`.

    Parameters
    ----------
    is_unwanted: a condition on `notifications`.
    """
    not_due = and_(notifications.c.user_id == user_id, notifications.c.due_at > NOW)
    return delete(notifications).where(not_due, is_unwanted).cte("withdraw")


def _common(kind: Kind, source: FromClause, *names: str) -> dict[str, ColumnElement[Any]]:
    """Return the values that each table of notifications has, and those of `names` that the source gives."""
    given = {_OPTIONAL[name]: source.c[name] for name in names if name in source.c}
    return given | {"kind": literal(kind.name), "created_at": NOW, "due_at": source.c.get("due_at", NOW)}


def _insert_mail(kind: Kind, source: FromClause) -> CTE:
    values = _common(kind, source, *_OPTIONAL) | {"priority": literal(kind.priority.value, outbox.c.priority.type)}
    if "dropped_reason" in source.c:
        values["dropped_at"] = case((source.c.dropped_reason.is_not(None), NOW))
    return insert(outbox).from_select([*values], select(*values.values())).cte(f"queue_{kind.name}")


def _insert_inbox(kind: Kind, source: FromClause) -> CTE:
    values = _common(kind, source, "user_id", "payload")
    rows = (
        select(*values.values())
        .join(users, users.c.id == source.c.user_id)
        .outerjoin(notification_preferences, notification_preferences.c.user_id == source.c.user_id)
        .where(is_wanted(kind.switch))
    )
    return insert(notifications).from_select([*values], rows).cte(f"queue_{kind.name}_inbox")


def _insert_push(kind: Kind, source: FromClause) -> CTE:
    values = _common(kind, source, "user_id", "payload")
    values |= {
        "expires_at": func.least(
            source.c.get("expires_at", null()), values["due_at"] + literal(kind.push_ttl, Interval())
        ),
        "priority": literal(kind.priority.value, outbox.c.priority.type),
        "channel": literal("push"),
        "push_subscription_id": push_subscriptions.c.id,
    }
    rows = select(*values.values()).join(push_subscriptions, push_subscriptions.c.user_id == source.c.user_id)
    return insert(outbox).from_select([*values], rows).cte(f"queue_{kind.name}_push")
