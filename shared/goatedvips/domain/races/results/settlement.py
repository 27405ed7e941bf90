"""Settlement: a race that has ended gets its final ranks, prizes, rewards, archive row and mail, in one transaction.

Its first statement takes `settled_at`, and all others hang on it: whoever else settles, cancels or moves the race
either came first or finds it settled. The second one fixes the boundary feeds, from which the scores follow, so a feed
that is ingested later changes no result. It also locks the members (FOR KEY SHARE): an erasure is seen, or waits.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Connection,
    Integer,
    Numeric,
    Row,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    select,
    update,
)

from goatedvips.domain import access, audit
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.races import boards
from goatedvips.domain.races.boundaries import CHOSEN, FIX_BOUNDARIES, FORCED_BEFORE, READY_BEFORE, boundary_feed
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.domain.races.results import archive, prizes
from goatedvips.domain.races.results.archive import Report
from goatedvips.domain.races.scores import histories, ranked, scored
from goatedvips.domain.rewards.ledger import granted
from goatedvips.errors import NotFound, NotSettleable
from goatedvips.models.accounts import users
from goatedvips.models.races import race_board_blocks
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import feeds

DELAY = timedelta(minutes=30)
"""From the end of a race, and from the ingestion of its end's feed, to its settlement."""
FORCED_AFTER = timedelta(hours=24)
"""From the end of a race that has no feed of its end, until staff may settle it with the last feed."""
BATCH = 10
"""The most races of one run of the schedule."""

_IS_OVER = races.c.end_date <= NOW
_IS_OPEN = and_(races.c.settled_at.is_(None), races.c.cancelled_at.is_(None))
_end_feed = feeds.alias("end_feed")
# Only staff settle a race of the legacy application, and one without a feed of its end.
_select_due = (
    select(races.c.id)
    .select_from(races)
    .join(_end_feed, _end_feed.c.id == boundary_feed(races.c.end_date))
    .where(_IS_OPEN, ~races.c.is_legacy, races.c.end_date <= READY_BEFORE, _end_feed.c.ingested_at <= READY_BEFORE)
    .order_by(races.c.end_date, races.c.id)
    .limit(BATCH)
)
_select_overdue = (
    select(races.c.id).where(_IS_OPEN, races.c.end_date <= FORCED_BEFORE).order_by(races.c.end_date, races.c.id)
)


def find_due(connection: Connection, *, now: datetime) -> Sequence[int]:
    """Return the ids of the races that the schedule settles now, at most `BATCH`, those that ended first."""
    return connection.execute(_select_due, {"ready_before": now - DELAY}).scalars().all()


def find_overdue(connection: Connection, *, now: datetime) -> Sequence[int]:
    """Return the ids of the races that ended 24 hours ago or before and are not settled."""
    return connection.execute(_select_overdue, {"forced_before": now - FORCED_AFTER}).scalars().all()


_set_settled = (
    update(races)
    .where(_IS_OPEN, _IS_OVER)
    .values(settled_at=NOW, status=literal("completed", Text), updated_at=NOW)
    .returning(
        races.c.id,
        races.c.start_date,
        races.c.end_date,
        races.c.prize_pool,
        cast(races.c.prize_distribution, Text).label("distribution"),
        races.c.is_legacy,
    )
)
_lock_due = (
    select(races.c.id)
    .where(races.c.id == RACE_ID, _IS_OPEN, _IS_OVER, ~races.c.is_legacy)
    .with_for_update(skip_locked=True, key_share=True)
    .cte("due")
)
_take_due = _set_settled.where(races.c.id == _lock_due.c.id)


def settle_due(connection: Connection, race_id: int, *, now: datetime) -> Report | None:
    """Settle a race for the schedule. None: somebody else has settled or cancelled it, or is doing so.

    Raises
    ------
    NotSettleable: its time has not come, or its prizes cannot be computed.
    """
    race = connection.execute(_take_due, {"race_id": race_id, "now": now}).one_or_none()
    return None if race is None else _settle_taken(connection, race, force=False, now=now)


_staff = access.staff()
_lock_race = (
    select(races.c.id)
    .select_from(_staff)
    .join(races, races.c.id == RACE_ID)
    .where(_IS_OPEN, _IS_OVER)
    .with_for_update(of=races, key_share=True)
    .cte("race")
)
_taken = _set_settled.where(races.c.id == _lock_race.c.id).cte("taken")
_settled_how = select(
    _taken.c.id,
    NOW.label("settled_at"),
    bindparam("force", type_=Boolean).label("force"),
    bindparam("already_paid", type_=Boolean).label("already_paid"),
).cte("settled_how")
_take_race = select(*_taken.c).add_cte(audit.recorded("settle_race", _settled_how))
_select_state = select(races.c.settled_at, races.c.cancelled_at).where(races.c.id == RACE_ID)


def settle(
    connection: Connection,
    caller: Caller,
    race_id: int,
    *,
    force: bool = False,
    already_paid: bool = False,
    now: datetime,
) -> Report:
    """Settle a race for staff. A race that is settled already stays as it is, and its report is returned again.

    Parameters
    ----------
    force: settle with the last feed, if 24 hours after the end there is none of the end.
    already_paid: only mark a race of the legacy application as settled, because its prizes were paid without us.

    Raises
    ------
    NotFound
    NotSettleable: it has not ended or is cancelled, its time has not come, or its prizes cannot be computed.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"race_id": race_id, "force": force, "already_paid": already_paid}
    race = access.one_or_none(connection, _take_race, caller, given, now=now, staff=True)
    if race is None:
        return _report_again(connection, race_id)
    if not already_paid:
        return _settle_taken(connection, race, force=force, now=now)
    if not race.is_legacy:
        raise NotSettleable("Only a race of the legacy application can have been paid without the platform")
    return archive.report(connection, race_id)


def _report_again(connection: Connection, race_id: int) -> Report:
    """Return the report of a race that is settled already.

    Raises
    ------
    NotFound
    NotSettleable: it is not settled.
    """
    state = connection.execute(_select_state, {"race_id": race_id}).one_or_none()
    if state is None:
        raise NotFound
    if state.cancelled_at is not None:
        raise NotSettleable("A cancelled race is not settled")
    if state.settled_at is None:
        raise NotSettleable("The race has not ended yet")
    return archive.report(connection, race_id)


_lock_members = (
    select(users.c.id)
    .join(participants, participants.c.member_key == users.c.id)
    .where(participants.c.race_id == RACE_ID)
    .order_by(users.c.id)
    .with_for_update(of=users, read=True, key_share=True)
    .cte("members")
)
_fix_scores = select(
    CHOSEN.c.feed_id, select(func.count(_lock_members.c.id)).scalar_subquery().label("members")
).add_cte(FIX_BOUNDARIES)

# Not RACE_ID: SQLAlchemy would set the column of the updated table that has a parameter's name.
_ranks = ranked(scored(races.c.id == bindparam("settled_race_id", type_=races.c.id.type))).cte("ranks")
_histories = histories(_ranks)
_results = (
    select(*_ranks.c, _histories.c.points)
    .select_from(_ranks.outerjoin(_histories, _histories.c.participant_id == _ranks.c.participant_id))
    .subquery("results")
)
_set_ranks = (
    update(participants)
    .where(participants.c.id == _results.c.participant_id)
    .values(
        **boards.placed(_results.c.rank),
        total_wager=_results.c.score,
        account_id=_results.c.account_id,
        base=_results.c.base,
        end_total=func.greatest(_results.c.end_total, _results.c.base),
        is_new=_results.c.is_new,
        unranked_reason=_results.c.unranked_reason,
        wager_history=_results.c.points,
        updated_at=NOW,
    )
    .returning(participants.c.member_key.label("user_id"), participants.c.rank)
    .cte("results_written")
)
_write_ranks = (
    select(_set_ranks.c.user_id, _set_ranks.c.rank)
    .where(_set_ranks.c.rank <= bindparam("paid_places", type_=Integer))
    .add_cte(boards.deleted_blocks(race_board_blocks.c.race_id == bindparam("settled_race_id")))
)

_prizes = (
    func.unnest(bindparam("winner_ids", type_=ARRAY(Integer)), bindparam("winner_cents", type_=ARRAY(BigInteger)))
    .table_valued("user_id", "cents", name="prizes")
    .render_derived()
)
_rewards = select(_prizes.c.user_id, RACE_ID.label("source_id"), (cast(_prizes.c.cents, Numeric) / 100).label("amount"))
_result = {
    "race_id": RACE_ID,
    "title": select(races.c.title).where(races.c.id == RACE_ID).scalar_subquery(),
    "rank": participants.c.rank,
    "prize": cast(cast(_prizes.c.cents, Numeric) / 100, Text),
}
_mailed = (
    select(
        users.c.id.label("user_id"),
        users.c.email,
        func.jsonb_build_object(*(part for pair in _result.items() for part in pair)).label("payload"),
    )
    .join(participants, participants.c.member_key == users.c.id)
    .outerjoin(_prizes, _prizes.c.user_id == users.c.id)
    .where(participants.c.race_id == RACE_ID, participants.c.is_listed)
    .where(users.c.erased_at.is_(None))
)
_archived = archive.archived(_prizes)
_write_results = select(_archived.c.id).add_cte(
    *granted("race", _rewards), *queued("race_result", _mailed), boards.inserted_blocks()
)


def _settle_taken(connection: Connection, race: Row[Any], *, force: bool, now: datetime) -> Report:
    """Settle a race whose row says that it is settled, and is locked.

    Raises
    ------
    NotSettleable: its time has not come, or its prizes cannot be computed.
    """
    pool, percents = prizes.read_terms(race.prize_pool, race.distribution)
    given = {
        "now": now,
        "race_id": race.id,
        "start_date": race.start_date,
        "end_date": race.end_date,
        "force": force,
        "ready_before": now - DELAY,
        "forced_before": now - FORCED_AFTER,
    }
    if connection.execute(_fix_scores, given).one_or_none() is None:
        raise NotSettleable("30 minutes have not passed since the end and since the first whole feed after it was read")
    ranks = {"settled_race_id": race.id, "paid_places": len(percents), "now": now}
    paid = connection.execute(_write_ranks, ranks).all()
    shares = prizes.share(race.id, pool, percents, ((row.user_id, row.rank) for row in paid))
    results = {
        "race_ids": [race.id],
        "winner_ids": list(shares.cents_by_user),
        "winner_cents": list(shares.cents_by_user.values()),
        **archive.parameters(
            race.end_date, unallocated=shares.unallocated, paid=pool - shares.unallocated, at_least=len(paid)
        ),
    }
    connection.execute(_write_results, given | results)
    return replace(archive.report(connection, race.id), just_settled=True)
