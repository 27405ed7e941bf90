"""What the members of a batch did in a month, as columns for their statements.

A batch has all members between its least and its largest id, so each table is read by one range of an index.

A reading counts in the month in which it was ingested, so one that comes in late counts in a later month, and what a
statement says never changes. A race counts in the month in which it was settled, as its prize does.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Date,
    FromClause,
    Numeric,
    ScalarSelect,
    Select,
    Subquery,
    Text,
    and_,
    any_,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from goatedvips.domain.races.scores import COUNTED
from goatedvips.domain.wagers.statements.months import END, LATE_AT, READ_FROM, START
from goatedvips.models.codes import code_claims
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.rewards import rewards
from goatedvips.models.wagers import link_periods, wager_accounts, wager_readings
from goatedvips.models.wheel import wheel_spins

_FENCE: ColumnElement[int] = literal_column("0")
"""An offset for which PostgreSQL computes the columns of a subquery once a row, and not at each use of them."""
_OF_ACCOUNT = wager_readings.c.account_id == wager_accounts.c.id


def range_of(members: FromClause) -> tuple[ScalarSelect[int], ScalarSelect[int]]:
    """Return the least and the largest id. PostgreSQL reads a range of an index for them, however many it expects."""
    return (
        select(func.min(members.c.id)).scalar_subquery(),
        select(func.max(members.c.id)).scalar_subquery(),
    )


def rises(members: FromClause) -> CTE:
    """Return a CTE with a row for each period of a link that no statement has counted to its end.

    Its columns are `period_id`; `user_id`; `base`, the highest total that has been counted, or from which on the period
    counts; and `rise`, by how much the highest total rose above it by the end of the month, in US dollars.

    Parameters
    ----------
    members: has all members between its least and its largest `id`.
    """
    first_total = (
        select(COUNTED)
        .where(_OF_ACCOUNT)
        .order_by(wager_readings.c.requested_at)
        .limit(1)
        .correlate(wager_accounts)
        .scalar_subquery()
    )
    base = func.coalesce(link_periods.c.closing, link_periods.c.opening, first_total)
    # What was read before the last statement is in its closing.
    since = case((link_periods.c.closing.is_(None), literal_column("'-infinity'::timestamp")), else_=READ_FROM)
    highest_read = (
        select(func.max(COUNTED))
        .where(
            _OF_ACCOUNT,
            wager_readings.c.requested_at >= since,
            wager_readings.c.requested_at < END,
            wager_readings.c.requested_at != func.all(LATE_AT),
        )
        .correlate(wager_accounts, link_periods)
        .scalar_subquery()
    )
    # Most accounts have not changed since the month's end, so their highest total is that of all their readings.
    is_unchanged = and_(
        wager_accounts.c.read_at < END,
        ~exists().where(_OF_ACCOUNT, wager_readings.c.requested_at == any_(LATE_AT)).correlate(wager_accounts),
    )
    reached = case(
        (wager_accounts.c.id.is_(None), link_periods.c.final),
        (is_unchanged, wager_accounts.c.highest),
        else_=highest_read,
    )
    totals = (
        select(
            link_periods.c.id.label("period_id"),
            link_periods.c.user_id,
            link_periods.c.final,
            base.label("base"),
            reached.label("reached"),
        )
        .outerjoin(wager_accounts, wager_accounts.c.id == link_periods.c.account_id)
        .where(
            link_periods.c.user_id.between(*range_of(members)),
            or_(
                link_periods.c.final.is_(None),
                link_periods.c.closing.is_(None),
                link_periods.c.closing < link_periods.c.final,
            ),
        )
        .offset(_FENCE)
        .subquery("totals")
    )
    counted = case((totals.c.final < totals.c.reached, totals.c.final), else_=totals.c.reached)
    rise = func.greatest(counted - totals.c.base, 0)
    return select(totals.c.period_id, totals.c.user_id, totals.c.base, rise.label("rise")).cte("rises")


def wagered(rises_of_members: CTE) -> Subquery:
    """Return a subquery with `user_id` and `wagered`, US dollars above zero: the sum of a member's rises."""
    total = func.sum(rises_of_members.c.rise)
    user_id = rises_of_members.c.user_id
    return select(user_id, total.label("wagered")).group_by(user_id).having(total > 0).subquery("wagered")


def spins(members: FromClause) -> Subquery:
    """Return a subquery with `user_id` and `spins`: on how many days the member spun the wheel."""
    within = wheel_spins.c.spin_day >= cast(START, Date), wheel_spins.c.spin_day < cast(END, Date)
    return _of_each(wheel_spins.c.user_id, members, func.count().label("spins"), *within)


def claims(members: FromClause) -> Subquery:
    """Return a subquery with `user_id` and `claims`: how many codes the member claimed."""
    within = code_claims.c.claimed_at >= START, code_claims.c.claimed_at < END
    return _of_each(code_claims.c.user_id, members, func.count().label("claims"), *within)


def granted(members: FromClause) -> Subquery:
    """Return a subquery with `user_id` and `rewards`: the sum of what the ledger granted and took back."""
    within = rewards.c.created_at >= START, rewards.c.created_at < END
    return _of_each(rewards.c.user_id, members, func.sum(rewards.c.amount).label("rewards"), *within)


def _of_each(
    user_id: Column[int], members: FromClause, value: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> Subquery:
    return (
        select(user_id.label("user_id"), value)
        .where(user_id.between(*range_of(members)), *conditions)
        .group_by(user_id)
        .subquery(value.key)
    )


def results(members: FromClause) -> CTE:
    """Return a CTE with `user_id` and `races`: JSON, each race that was settled, with the member's rank and prize.

    Parameters
    ----------
    members: has all members between its least and its largest `id`.
    """
    prize = func.coalesce(rewards.c.amount, literal(0, Numeric(18, 2)))
    result = func.jsonb_build_object(
        *("race_id", races.c.id, "title", races.c.title, "rank", participants.c.rank, "prize", cast(prize, Text))
    )
    found: Select[Any] = (
        select(
            participants.c.member_key.label("user_id"),
            func.jsonb_agg(aggregate_order_by(result, races.c.end_date, races.c.id)).label("races"),
        )
        .select_from(races)
        .join(participants, participants.c.race_id == races.c.id)
        .outerjoin(
            rewards,
            and_(
                rewards.c.source_type == "race",
                rewards.c.source_id == races.c.id,
                rewards.c.user_id == participants.c.member_key,
            ),
        )
        .where(
            races.c.settled_at >= START,
            races.c.settled_at < END,
            participants.c.is_listed,
            participants.c.member_key.between(*range_of(members)),
        )
        .group_by(participants.c.member_key)
    )
    return found.cte("results")
