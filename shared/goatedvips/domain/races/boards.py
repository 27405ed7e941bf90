"""Boards: the scores and ranks of races, written when a feed is ingested and never by a request.

Locks are taken in this order, by ingest and by settlement: rows of `wager_races` by id (FOR NO KEY UPDATE), members,
accounts of the feed, participants.  So the two wait for each other at the race, and neither for a member whom an
erasure or a decision on a link has locked, while it holds what that one wants next.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Boolean, Connection, Integer, and_, any_, bindparam, case, func, or_, select, update

from goatedvips.domain.access import NOW
from goatedvips.domain.races.boundaries import boundary_feed
from goatedvips.domain.races.scores import ranked, scored
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races

_FEED_ID = bindparam("feed_id", type_=races.c.board_feed_id.type)
_IS_LATE = bindparam("is_late", type_=Boolean)
_REQUESTED_AT = bindparam("requested_at", type_=races.c.start_date.type)
_RACE_IDS = bindparam("race_ids", type_=ARRAY(Integer))

# A race with an earlier feed of its end has its final scores; only a late feed may still change them. A late feed may
# also change the bases of races that started after it.
_open_races = (
    select(races.c.id)
    .where(
        races.c.settled_at.is_(None),
        races.c.cancelled_at.is_(None),
        or_(
            _IS_LATE,
            and_(
                races.c.start_date <= _REQUESTED_AT,
                func.coalesce(boundary_feed(races.c.end_date), _FEED_ID) == _FEED_ID,
            ),
        ),
    )
    .order_by(races.c.id)
    .with_for_update(key_share=True)
    .cte("open_race")
)
_take_races = (
    update(races)
    .where(races.c.id == _open_races.c.id)
    .values(board_feed_id=case((_IS_LATE, races.c.board_feed_id), else_=_FEED_ID))
    .returning(races.c.id)
)
_forget_bases = (
    update(participants)
    .where(participants.c.race_id == any_(_RACE_IDS), participants.c.base.is_not(None))
    .values(base=None, account_id=None, is_new=False)
)
# In the order of the rows, which makes the update a third faster than in the order of the ranks.
_ranked = ranked(scored(races.c.id == any_(_RACE_IDS)))
_standing = _ranked.order_by(_ranked.selected_columns.participant_id).cte("standing")
# Without the start's feed there is no base yet.
_has_base = and_(_standing.c.after.is_not(None), _standing.c.base.is_not(None))
_new = {
    "total_wager": _standing.c.score,
    "rank": _standing.c.rank,
    "account_id": case((_has_base, _standing.c.account_id)),
    "base": case((_has_base, _standing.c.base)),
    "is_new": and_(_has_base, _standing.c.is_new),
}
_write_standings = (
    update(participants)
    .where(
        participants.c.id == _standing.c.participant_id,
        or_(*(participants.c[name].is_distinct_from(value) for name, value in _new.items())),
    )
    .values(**_new, updated_at=NOW)
)


def take_races(connection: Connection, feed_id: int, *, is_late: bool, requested_at: datetime) -> Sequence[int]:
    """Lock the races whose scores a feed can change, and note that their boards are as of this feed; return their ids.

    Parameters
    ----------
    is_late: whether a feed that was requested later has been ingested before.
    requested_at: when the feed was requested; one that is not late changes no race that starts later.
    """
    given = {"feed_id": feed_id, "is_late": is_late, "requested_at": requested_at}
    return connection.execute(_take_races, given).scalars().all()


def write_standings(connection: Connection, race_ids: Sequence[int], *, is_late: bool, now: datetime) -> int:
    """Write scores, bases and ranks of races where they have changed; return the number of participants.

    Parameters
    ----------
    race_ids: what `take_races` has returned.
    is_late: whether readings were stored that can change bases.
    """
    given = {"race_ids": list(race_ids), "now": now}
    if is_late:
        connection.execute(_forget_bases, given)
    return connection.execute(_write_standings, given).rowcount
