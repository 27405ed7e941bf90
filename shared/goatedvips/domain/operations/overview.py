"""The platform's key figures for staff: counted where an index makes that cheap, else estimated by the planner."""

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
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.notifications import outbox
from goatedvips.models.races import wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.tickets import support_tickets
from goatedvips.models.wagers import wager_accounts

PRIORITIES = ("high", "medium", "low")
EXACT_BELOW = 1000  # rows; a table with fewer is counted, a larger one is estimated

_pg_class = table("pg_class", column("oid"), column("reltuples"))


def _estimated_rows(counted: Table) -> ColumnElement[Any]:
    """The number of rows: exact below `EXACT_BELOW`, else the planner's estimate; null for a table never analysed."""
    first_ids = select(counted.c.id).order_by(counted.c.id).limit(EXACT_BELOW).subquery()
    number = select(func.count()).select_from(first_ids).scalar_subquery()
    rows = case((number < EXACT_BELOW, number), (_pg_class.c.reltuples >= 0, cast(_pg_class.c.reltuples, BigInteger)))
    return select(rows).where(_pg_class.c.oid == cast(literal(counted.name), REGCLASS)).scalar_subquery()


def _count_where(*conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    return select(func.count()).where(*conditions).scalar_subquery()


def _sum_wagered(wagered: Column[Any]) -> ColumnElement[Any]:
    """The sum of a column over all members, from its partial index; a NaN in an adopted row would make the sum NaN."""
    is_amount = and_(wagered > 0, wagered < cast(literal("NaN"), Numeric))
    return select(func.coalesce(func.sum(wagered), 0)).where(is_amount, ~users.c.is_shell).scalar_subquery()


def _count_registered(within: timedelta) -> ColumnElement[Any]:
    since = NOW - literal(within, Interval())
    is_member = and_(users.c.erased_at.is_(None), ~users.c.is_shell)
    return _count_where(users.c.created_at > since, users.c.created_at <= NOW, is_member)


_is_live = and_(wager_races.c.start_date <= NOW, wager_races.c.end_date > NOW, wager_races.c.cancelled_at.is_(None))
# A wheel win is handed over only after its code was claimed. This is a correlated subquery, so that no plan reads the
# whole table of codes.
_claims_of_win = select(bonus_codes.c.claims).where(bonus_codes.c.spin_id == rewards.c.source_id).scalar_subquery()
_unfulfilled = (
    select(func.count().label("count"), func.coalesce(func.sum(rewards.c.amount), 0).label("amount"))
    .where(rewards.c.fulfilled_at.is_(None), or_(rewards.c.source_type != "spin", _claims_of_win > 0))
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
_select_overview: Select[Any] = (
    select(
        _estimated_rows(users).label("members"),
        _count_registered(timedelta(days=1)).label("new_today"),
        _count_registered(timedelta(days=7)).label("new_this_week"),
        _count_where(users.c.is_active, ~users.c.is_shell).label("active"),
        _sum_wagered(users.c.wager_today).label("wager_today"),
        _sum_wagered(users.c.wager_week).label("wager_week"),
        _sum_wagered(users.c.wager_month).label("wager_month"),
        _count_where(_is_live).label("live_races"),
        select(func.jsonb_agg(func.to_jsonb(_waiting.table_valued()), type_=JSONB)).scalar_subquery().label("tickets"),
        _estimated_rows(bonus_codes).label("issued"),
        _estimated_rows(code_claims).label("claimed"),
        _unfulfilled.c.count.label("unfulfilled"),
        _unfulfilled.c.amount,
        _count_where(WAITING).label("queued"),
        _count_where(outbox.c.failed_at.is_not(None)).label("failed"),
        select(func.max(wager_accounts.c.read_at)).scalar_subquery().label("read_at"),
    )
    .select_from(_unfulfilled)
    .where(exists(select(access.staff().c.id)))
)


def get(connection: Connection, caller: Caller, *, now: datetime) -> Mapping[str, object]:
    """Return the figures, in the shape of `validators.operations.Overview`.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one(connection, _select_overview, caller, {}, now=now, staff=True)
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
