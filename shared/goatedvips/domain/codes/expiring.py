"""Reminders of bonus codes that expire soon and that their owner has not claimed."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Interval,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    update,
)

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.outbox import queued
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes as codes
from goatedvips.models.notifications import sender_state

LEAD = timedelta(hours=3)  # from the reminder of a win, or of a code that lives less than LONG_LIFE, to its expiry
LONG_LEAD = timedelta(hours=24)  # the same for a code that lives longer
LONG_LIFE = timedelta(hours=48)

# One row: two runs at once follow each other, and the reminder of each code is due in the window of one of them.
_lock_last_run = select(sender_state.c.expiry_noticed_until).with_for_update()
_record_run = update(sender_state).values(expiry_noticed_until=NOW).cte("record_run")
_SINCE = bindparam("since", type_=codes.c.expires_at.type)


def _is_due(lead: timedelta) -> ColumnElement[bool]:
    """Whether a code's reminder with this lead is due after `since` and until `now`: a range of the index of expiries.

    The bounds are the parameters' alone, so that the planner sees a range of the column.
    """
    length = literal(lead, Interval())
    return and_(codes.c.expires_at > _SINCE + length, codes.c.expires_at <= NOW + length)


_is_win = codes.c.spin_id.is_not(None)
# A code that is not claimed has the time of its issue in `claimed_at`.
_is_long = and_(~_is_win, codes.c.expires_at - codes.c.claimed_at >= literal(LONG_LIFE, Interval()))
# The codes of a batch, which one member owns, make one reminder.
_group = (codes.c.user_id, codes.c.batch_id, codes.c.expires_at, case((codes.c.batch_id.is_(None), codes.c.id)))


def _select_due(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the rows of the outbox for the reminders that are due."""
    due = (
        select(
            *_group[:3], _group[3].label("code_id"), func.count().label("count"), func.min(codes.c.code).label("code")
        )
        .where(
            or_(and_(_is_due(LEAD), ~_is_long), and_(_is_due(LONG_LEAD), _is_long)),
            codes.c.expires_at > NOW,
            codes.c.user_id.is_not(None),
            codes.c.value.is_not(None),
            codes.c.revoked_at.is_(None),
            codes.c.claims == 0,
            *conditions,
        )
        .group_by(*_group)
        .subquery("due")
    )
    payload = {name: due.c[name] for name in ("code_id", "batch_id", "count", "code", "expires_at")}
    pairs = (part for pair in payload.items() for part in pair)
    return select(
        due.c.user_id, users.c.email, func.jsonb_build_object(*pairs).label("payload"), due.c.expires_at
    ).join(users, users.c.id == due.c.user_id)


_queue_reminders = select(literal(1)).add_cte(
    _record_run,
    *queued("win_expiring", _select_due(_is_win)),
    *queued("code_expiring", _select_due(~_is_win)),
)


def queue_reminders(connection: Connection, *, now: datetime) -> None:
    """Queue the reminders that have become due since the last run, or in the last 24 hours if there was none.

    Call it in a transaction.
    """
    last_run = connection.execute(_lock_last_run).scalar_one()
    if last_run is not None and last_run >= now:
        return  # another run was faster, or its clock is ahead
    connection.execute(_queue_reminders, {"now": now, "since": max(last_run or now - LONG_LEAD, now - LONG_LEAD)})
