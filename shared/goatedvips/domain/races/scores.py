"""Scores and ranks: what each participant of a race has wagered within it, their place, and how the score rose.

Boards, dry runs and settlements all use these functions.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from goatedvips.domain.access import is_excluded
from goatedvips.domain.races.boundaries import boundary_feed
from goatedvips.models.accounts import users
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import feeds, wager_accounts, wager_readings

COUNTED = wager_readings.c.total - wager_readings.c.lowered
"""The total of a reading, as it counts since the last fall that was accepted."""
MOST_POINTS = 200
"""In a participant's history. Of more readings so many are taken evenly, the last one always."""
FENCE: ColumnElement[int] = literal_column("0")
"""An offset for which PostgreSQL computes the columns of a subquery once a row, and not at each use of them."""
_OF_ACCOUNT = wager_readings.c.account_id == wager_accounts.c.id


def score(
    total: ColumnElement[Decimal], base: ColumnElement[Decimal], carried_over: ColumnElement[Decimal]
) -> ColumnElement[Decimal]:
    """Return the score of two totals, cut to cents: what is shown decides.

    Parameters
    ----------
    total: the highest total within the race; null: no reading yet.
    base: the highest total before it.
    carried_over: what was counted before the platform took over; US dollars, as the totals.
    """
    risen = func.greatest(total - base, 0)  # 0 if it is null
    return func.trunc(risen, 2) + carried_over


def _windows(wanted: ColumnElement[bool]) -> CTE:
    """Return the wanted races with the times of request of their boundary feeds."""
    start_feed, end_feed = feeds.alias("start_feed"), feeds.alias("end_feed")
    return (
        select(
            races.c.id,
            races.c.end_date,
            races.c.min_wager,
            start_feed.c.requested_at.label("after"),
            start_feed.c.is_whole.label("starts_whole"),
            end_feed.c.requested_at.label("until"),
        )
        .select_from(races)
        .outerjoin(start_feed, start_feed.c.id == boundary_feed(races.c.start_date))
        .outerjoin(end_feed, end_feed.c.id == boundary_feed(races.c.end_date))
        .where(wanted)
        .cte("race_window")
    )


def _base(window: CTE) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return expressions for the base of a linked account, and whether the account appeared after the start.

    The base is the highest total up to the start's feed. An account that this whole feed does not have, and that was
    never seen before, begins at its first total less what its own counters say was wagered in the last week or month.
    Any other account without a reading up to the start begins at its first reading.
    """
    up_to_start = (
        select(func.max(COUNTED))
        .where(_OF_ACCOUNT, wager_readings.c.requested_at <= window.c.after)
        .correlate_except(wager_readings)
        .scalar_subquery()
    )
    first = (
        select(COUNTED)
        .where(_OF_ACCOUNT)
        .order_by(wager_readings.c.requested_at)
        .limit(1)
        .correlate_except(wager_readings)
        .scalar_subquery()
    )
    is_stored = and_(participants.c.account_id == wager_accounts.c.id, participants.c.base.is_not(None))
    appeared = and_(func.coalesce(wager_accounts.c.first_seen_at > window.c.after, False), window.c.starts_whole)
    lately = func.greatest(wager_accounts.c.first_week, wager_accounts.c.first_month)
    at_first = first - case((appeared, func.least(wager_accounts.c.first_total, lately)), else_=0)
    return (
        case((is_stored, participants.c.base), else_=func.coalesce(up_to_start, at_first)),
        case((is_stored, participants.c.is_new), else_=and_(up_to_start.is_(None), appeared)),
    )


def mark(end_date: ColumnElement[datetime], member: ReadOnlyColumnCollection[str, Any] = users.c) -> ColumnElement[Any]:
    """Return an expression for why a member, in a join with `participants`, has no rank whatever they wager.

    Parameters
    ----------
    end_date: of the race.
    member: the columns of `users`.
    """
    began_before = or_(member.excluded_since.is_(None), member.excluded_since < end_date)
    marks = {
        "staff": member.is_admin,
        "erased": member.erased_at.is_not(None),
        "suspended": member.suspended_at.is_not(None),
        "disqualified": participants.c.disqualified_at.is_not(None),
        "excluded": and_(is_excluded(member), began_before),
        "not_linked": member.uid.is_(None),
    }
    return case(*((condition, literal(name, Text)) for name, condition in marks.items()))


# Those who can have a mark. Most members have none, so a hash of these takes less than one of all.
_marked = (
    select(users)
    .where(
        or_(
            users.c.is_admin,
            users.c.erased_at.is_not(None),
            users.c.suspended_at.is_not(None),
            is_excluded(),
            users.c.uid.is_(None),
        )
    )
    .subquery("marked")
)


def scored(wanted: ColumnElement[bool]) -> Select[Any]:
    """Return a select with a row for each listed participant of some races.

    Its columns are `participant_id`, `race_id` and `user_id`; `account_id`, the account that is linked to the member;
    `base`, its highest total up to the feed of the race's start; `end_total`, its highest total within the race;
    `is_new`, whether the account appeared only after the start; `carried_over`; `after` and `until`, when the feeds of
    the start and the end were requested; `score`, US dollars in whole cents; and `unranked_reason`, which is null for
    those who are ranked.

    The feed of the end counts from the moment it is there. Before that, the score is that of the newest readings.

    Parameters
    ----------
    wanted: a condition on `wager_races`.
    """
    window = _windows(wanted)
    base, is_new = _base(window)
    in_window = wager_readings.c.requested_at > window.c.after, wager_readings.c.requested_at <= window.c.until
    within = select(func.max(COUNTED)).where(_OF_ACCOUNT, *in_window).correlate_except(wager_readings).scalar_subquery()
    end_total = case(
        (window.c.after.is_(None), None), (window.c.until.is_(None), wager_accounts.c.highest), else_=within
    )
    is_marked = or_(_marked.c.id.is_not(None), participants.c.disqualified_at.is_not(None))
    totals = (
        select(
            participants.c.id.label("participant_id"),
            participants.c.race_id,
            participants.c.member_key.label("user_id"),
            wager_accounts.c.id.label("account_id"),
            base.label("base"),
            end_total.label("end_total"),
            and_(wager_accounts.c.id.is_not(None), is_new).label("is_new"),
            participants.c.carried_over,
            window.c.after,
            window.c.until,
            window.c.min_wager,
            case((is_marked, mark(window.c.end_date, _marked.c))).label("mark"),
        )
        .select_from(window)
        .join(participants, and_(participants.c.race_id == window.c.id, participants.c.is_listed))
        .outerjoin(_marked, _marked.c.id == participants.c.member_key)
        .outerjoin(wager_accounts, wager_accounts.c.user_id == participants.c.member_key)
        .offset(FENCE)
        .subquery("totals")
    )
    with_score = (
        select(*totals.c, score(totals.c.end_total, totals.c.base, totals.c.carried_over).label("score"))
        .offset(FENCE)
        .subquery("with_score")
    )
    reason = unranked_reason(with_score.c.mark, with_score.c.score, with_score.c.min_wager)
    return select(*_without(with_score, "mark", "min_wager"), reason.label("unranked_reason"))


def _without(rows: Subquery, *names: str) -> list[ColumnElement[Any]]:
    return [column for column in rows.c if column.name not in names]


def unranked_reason(
    marked: ColumnElement[Any], scored: ColumnElement[Decimal], min_wager: ColumnElement[Decimal]
) -> ColumnElement[Any]:
    """Return an expression for why a participant has no rank; null: they have one.

    Parameters
    ----------
    marked: as `mark` has it.
    """
    return case(
        (marked.is_not(None), marked),
        (scored <= 0, literal("no_wager", Text)),
        (scored < min_wager, literal("below_min_wager", Text)),
    )


def ranked(scores: Select[Any]) -> Select[Any]:
    """Return a select with the columns of `scored` and `rank`: standard competition ranking (1, 1, 3) by the score.

    `rank` is null for those with an `unranked_reason`.
    """
    rows = scores.offset(FENCE).subquery("scored")
    is_ranked = rows.c.unranked_reason.is_(None)
    cents = case((is_ranked, cast(rows.c.score * 100, BigInteger)))  # sorted faster than numbers of type numeric
    rank = func.rank().over(partition_by=rows.c.race_id, order_by=cents.desc().nulls_last())
    return select(*rows.c, case((is_ranked, rank)).label("rank"))


def histories(scores: FromClause) -> Subquery:
    """Return a subquery with `participant_id` and `points`: JSON, `[{"at": "…Z", "total": "12.50"}, …]`.

    `at` is when the feed was requested, `total` the score by then, in US dollars. Who has no reading within the race
    has no row.

    Parameters
    ----------
    scores: rows of `scored`.
    """
    at = wager_readings.c.requested_at
    of_one = scores.c.participant_id
    highest = func.max(COUNTED).over(partition_by=of_one, order_by=at)
    readings = (
        select(
            scores.c.participant_id,
            at.label("at"),
            score(highest, scores.c.base, scores.c.carried_over).label("total"),
            func.row_number().over(partition_by=of_one, order_by=at).label("number"),
            func.count().over(partition_by=of_one).label("count"),
        )
        .select_from(scores)
        .join(
            wager_readings,
            and_(wager_readings.c.account_id == scores.c.account_id, at > scores.c.after, at <= scores.c.until),
        )
        .subquery("readings")
    )
    number, count = readings.c.number * MOST_POINTS, readings.c.count
    # In RFC 3339; to_char would take several times as long.
    text = func.replace(cast(readings.c.at, Text), literal(" ", Text), literal("T", Text)) + literal("Z", Text)
    point = func.jsonb_build_object("at", text, "total", cast(readings.c.total, Text))
    return (
        select(readings.c.participant_id, func.jsonb_agg(aggregate_order_by(point, readings.c.at)).label("points"))
        .where(number // count > (number - MOST_POINTS) // count)
        .group_by(readings.c.participant_id)
        .subquery("histories")
    )


def history_so_far() -> ColumnElement[Any]:
    """Return an expression for the history of a row of `participants` until its race is settled, as `histories` has it.

    It is worked out as the score was: up to the feed that the ranks come from, with the base of then. It is null for
    who has no reading within the race.
    """
    start_feed, end_feed, board_feed = feeds.alias("start_feed"), feeds.alias("end_feed"), feeds.alias("board_feed")
    row = (
        select(
            participants.c.id.label("participant_id"),
            participants.c.account_id,
            participants.c.base,
            participants.c.carried_over,
            start_feed.c.requested_at.label("after"),
            func.coalesce(end_feed.c.requested_at, board_feed.c.requested_at).label("until"),
        )
        .select_from(races)
        .join(start_feed, start_feed.c.id == boundary_feed(races.c.start_date))
        .join(board_feed, board_feed.c.id == races.c.board_feed_id)
        .outerjoin(end_feed, end_feed.c.id == boundary_feed(races.c.end_date))
        .where(races.c.id == participants.c.race_id, races.c.settled_at.is_(None), participants.c.base.is_not(None))
        .correlate(participants)
        .subquery("row")
    )
    return select(histories(row).c.points).scalar_subquery()
