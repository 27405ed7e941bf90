"""The platform at a glance, for staff: figures that indexes give, and the planner's estimates where none can."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Interval,
    Numeric,
    Select,
    Table,
    and_,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB, REGCLASS

from goatedvips.domain import access
from goatedvips.domain.access import NOW, Caller
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.notifications import outbox
from goatedvips.models.races import wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.tickets import support_tickets
from goatedvips.models.wagers import wager_accounts

PRIORITIES = ("high", "medium", "low")
FEW = 1000  # rows that are counted, along the primary key

_pg_class = table("pg_class", column("oid"), column("reltuples"))


def _about(counted: Table) -> ColumnElement[Any]:
    """How many rows the planner takes a table to have, or how many there are of a few; null: it was never analysed."""
    some = select(counted.c.id).order_by(counted.c.id).limit(FEW).subquery()
    few = select(func.count()).select_from(some).scalar_subquery()
    rows = case((few < FEW, few), (_pg_class.c.reltuples >= 0, cast(_pg_class.c.reltuples, BigInteger)))
    return select(rows).where(_pg_class.c.oid == cast(literal(counted.name), REGCLASS)).scalar_subquery()


def _number(*conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    return select(func.count()).where(*conditions).scalar_subquery()


def _sum(wagered: Column[Any]) -> ColumnElement[Any]:
    """What all members have wagered, by the column's own partial index; an adopted NaN would be the sum."""
    some = and_(wagered > 0, wagered < cast(literal("NaN"), Numeric))
    return select(func.coalesce(func.sum(wagered), 0)).where(some).scalar_subquery()


def _new(within: timedelta) -> ColumnElement[Any]:
    since = NOW - literal(within, Interval())
    return _number(users.c.created_at > since, users.c.created_at <= NOW, users.c.erased_at.is_(None))


_queued = and_(outbox.c.sent_at.is_(None), outbox.c.failed_at.is_(None))
_live = and_(wager_races.c.start_date <= NOW, wager_races.c.end_date > NOW, wager_races.c.cancelled_at.is_(None))
# A win of the wheel is handed over once its code was claimed. Looked up for each, so that no plan reads all codes.
_claims = select(bonus_codes.c.claims).where(bonus_codes.c.spin_id == rewards.c.source_id).scalar_subquery()
_unfulfilled = (
    select(func.count().label("count"), func.coalesce(func.sum(rewards.c.amount), 0).label("amount"))
    .where(rewards.c.fulfilled_at.is_(None), or_(rewards.c.source_type != "spin", _claims > 0))
    .subquery("unfulfilled")
)
_waiting = (
    select(
        support_tickets.c.priority,
        func.count().label("waiting"),
        func.to_char(func.min(support_tickets.c.created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"').label("oldest_at"),
    )
    .where(support_tickets.c.status != "closed")
    .group_by(support_tickets.c.priority)
    .subquery("by_priority")
)
_overview: Select[Any] = (
    select(
        _about(users).label("members"),
        _new(timedelta(days=1)).label("new_today"),
        _new(timedelta(days=7)).label("new_this_week"),
        _number(users.c.is_active).label("active"),
        _sum(users.c.wager_today).label("wager_today"),
        _sum(users.c.wager_week).label("wager_week"),
        _sum(users.c.wager_month).label("wager_month"),
        _number(_live).label("live_races"),
        select(func.jsonb_agg(func.to_jsonb(_waiting.table_valued()), type_=JSONB)).scalar_subquery().label("tickets"),
        _about(bonus_codes).label("issued"),
        _about(code_claims).label("claimed"),
        _unfulfilled.c.count.label("unfulfilled"),
        _unfulfilled.c.amount,
        _number(_queued).label("queued"),
        _number(outbox.c.failed_at.is_not(None)).label("failed"),
        select(func.max(wager_accounts.c.read_at)).scalar_subquery().label("read_at"),
    )
    .select_from(_unfulfilled)
    .where(exists(select(access.staff().c.id)))
)


def overview(connection: Connection, caller: Caller, *, now: datetime) -> Mapping[str, object]:
    """The figures, in the shape of the answer.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = connection.execute(_overview, caller.parameters(now)).one_or_none()
    if row is None:
        access.refuse(connection, caller, now=now, staff=True)
    waiting = {priority: {"priority": priority, "waiting": 0, "oldest_at": None} for priority in PRIORITIES}
    waiting |= {ticket["priority"]: ticket for ticket in row.tickets or ()}
    age = None if row.read_at is None else max(0, int((now - row.read_at).total_seconds()))
    return {
        "members": {
            "all": row.members,
            "new_today": row.new_today,
            "new_this_week": row.new_this_week,
            "active": row.active,
            "approximate": ["all"],
        },
        "wagers": {"today": row.wager_today, "week": row.wager_week, "month": row.wager_month},
        "races": {"live": row.live_races},
        "tickets": list(waiting.values()),
        "codes": {"issued": row.issued, "claimed": row.claimed, "approximate": ["issued", "claimed"]},
        "rewards": {"unfulfilled": row.unfulfilled, "amount": row.amount},
        "mail": {"queued": row.queued, "failed": row.failed},
        "feed": {"read_at": row.read_at, "age_seconds": age},
    }
