"""The overview's figures: counted once a minute in the background, so that no request counts rows.

`figures` has a row for each. Its name is `section.field` of the overview, or `tickets.priority.field`.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
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
    delete,
    func,
    literal,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.outbox import WAITING
from goatedvips.domain.rewards.ledger import IS_PAID, WITH_PAYOUT
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import figures
from goatedvips.models.races import wager_races
from goatedvips.models.rewards import payouts, rewards
from goatedvips.models.tickets import support_tickets
from goatedvips.models.wagers import wager_accounts

EXACT_BELOW = 1000  # rows; a table with fewer is counted, a larger one is estimated
TICKETS = "tickets."
LARGEST_SUM = Decimal(
    10**19
)  # US dollars; what the column can hold, because a few codes of absurd terms are worth more

_pg_class = table("pg_class", column("oid"), column("reltuples"))


def _estimated_rows(counted: Table) -> ColumnElement[Any]:
    """The number of rows: exact below `EXACT_BELOW`, else the planner's estimate; null for a table never analysed."""
    first_ids = select(counted.c.id).order_by(counted.c.id).limit(EXACT_BELOW).subquery()
    number = select(func.count()).select_from(first_ids).scalar_subquery()
    rows = case((number < EXACT_BELOW, number), (_pg_class.c.reltuples >= 0, cast(_pg_class.c.reltuples, BigInteger)))
    return select(rows).where(_pg_class.c.oid == cast(literal(counted.name), REGCLASS)).scalar_subquery()


def _count_where(*conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    return select(func.count()).where(*conditions).scalar_subquery()


def _count_registered(within: timedelta) -> ColumnElement[Any]:
    since = NOW - literal(within, Interval())
    return func.count().filter(users.c.created_at > since, users.c.created_at <= NOW)


# One scan of the table for all figures about members.
_members = (
    select(
        func.count().label("members.all"),
        _count_registered(timedelta(days=1)).label("members.new_today"),
        _count_registered(timedelta(days=7)).label("members.new_this_week"),
        func.count().filter(users.c.is_active).label("members.active"),
    )
    .where(users.c.erased_at.is_(None), ~users.c.is_shell)
    .cte("members")
)


def _sum_of(figure: str) -> ColumnElement[Any]:
    """The sum of a figure of all members, read by the index of its leaderboard."""
    wagered = wager_accounts.c[figure]
    total = select(func.coalesce(func.sum(wagered), 0)).where(wager_accounts.c.user_id.is_not(None), wagered > 0)
    return total.scalar_subquery()


# The whole ledger is joined with its payouts: its rows never change, so no index says which rows are unpaid. That takes
# about a second at a million rows. A counter that each claim and payout updates would make them wait for one another.
_unpaid = (
    select(
        func.count().label("rewards.unpaid"),
        func.coalesce(func.sum(rewards.c.amount), 0).label("rewards.amount"),
        func.coalesce(func.sum(rewards.c.amount).filter(payouts.c.id.is_(None)), 0).label("rewards.open"),
    )
    .select_from(WITH_PAYOUT)
    .where(~IS_PAID)
    .cte("unpaid")
)
# Only live codes are read, by bonus_codes_expires_at_idx. A code that starts later is among them, because a promise of
# value stands from the day of its issue.
_claims_left = func.greatest(bonus_codes.c.max_claims - bonus_codes.c.claims, 0)
_outstanding = (
    select(
        func.least(func.coalesce(func.sum(bonus_codes.c.value * _claims_left), 0), LARGEST_SUM).label(
            "codes.outstanding"
        ),
        func.coalesce(func.sum(_claims_left), 0).label("codes.claims_left"),
        func.count().filter(bonus_codes.c.max_claims.is_(None)).label("codes.unlimited"),
    )
    .where(bonus_codes.c.value.is_not(None), bonus_codes.c.revoked_at.is_(None), bonus_codes.c.expires_at > NOW)
    .cte("outstanding")
)
_waiting = (
    select(
        support_tickets.c.priority,
        func.count().label("waiting"),
        func.min(func.extract("epoch", support_tickets.c.waiting_since)).label("oldest_at"),  # seconds since 1970
    )
    .where(support_tickets.c.status != "closed")
    .group_by(support_tickets.c.priority)
    .cte("waiting")
)
_is_live = and_(wager_races.c.start_date <= NOW, wager_races.c.end_date > NOW, wager_races.c.cancelled_at.is_(None))
# By the index wager_races_unsettled_idx.
_is_unsettled = and_(
    wager_races.c.end_date <= NOW, wager_races.c.settled_at.is_(None), wager_races.c.cancelled_at.is_(None)
)
_FIGURES: dict[str, ColumnElement[Any]] = {
    **{figure.key: select(figure).scalar_subquery() for figure in (*_members.c, *_unpaid.c, *_outstanding.c)},
    "wagers.today": _sum_of("wager_today"),
    "wagers.week": _sum_of("wager_week"),
    "wagers.month": _sum_of("wager_month"),
    "races.live": _count_where(_is_live),
    "races.unsettled": _count_where(_is_unsettled),
    "codes.issued": _estimated_rows(bonus_codes),
    "codes.claimed": _estimated_rows(code_claims),
    "mail.queued": _count_where(WAITING, outbox.c.channel == "mail"),
    "mail.failed": _count_where(outbox.c.failed_at.is_not(None), outbox.c.channel == "mail"),
}


def _figure(name: ColumnElement[str], value: ColumnElement[Any]) -> Select[Any]:
    return select(name.label("name"), cast(value, Numeric).label("value"))


_counted = union_all(
    *(_figure(literal(name), value) for name, value in _FIGURES.items()),
    *(
        _figure(TICKETS + _waiting.c.priority + f".{field}", _waiting.c[field]).select_from(_waiting)
        for field in ("waiting", "oldest_at")
    ),
).subquery("counted")
# In the order of the names, so that two runs at once lock the rows in one order. The later one wins.
_insert_counted = upsert(figures).from_select(
    ["name", "value", "as_of"],
    select(_counted.c.name, _counted.c.value, NOW).order_by(_counted.c.name),
)
_write_figures = _insert_counted.on_conflict_do_update(
    index_elements=["name"],
    set_={"value": _insert_counted.excluded.value, "as_of": _insert_counted.excluded.as_of},
    where=figures.c.as_of < _insert_counted.excluded.as_of,
)
# Those of priorities that no open ticket has any more.
_delete_tickets = delete(figures).where(figures.c.name.startswith(TICKETS), figures.c.as_of < NOW)


def write(connection: Connection, *, now: datetime) -> None:
    """Count, and write the figures as of `now`, unless a run with a later clock has written them."""
    connection.execute(_write_figures, {"now": now})
    connection.execute(_delete_tickets, {"now": now})
