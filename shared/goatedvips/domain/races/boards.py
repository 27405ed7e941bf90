"""Boards: the scores and ranks of races, written when a feed is ingested and never by a request, and their order.

The order stands in `race_board_blocks`, a hundred places in a row. An index of the ranks would get a new entry for
almost every participant at each ingest; these rows are written anew by whatever writes ranks.

Locks are taken in this order, by ingest and by settlement: rows of `wager_races` by id (FOR NO KEY UPDATE), members,
accounts of the feed, participants.  So the two wait for each other at the race, and neither for a member whom an
erasure or a decision on a link has locked, while it holds what that one wants next.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Subquery,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from goatedvips.domain.access import NOW
from goatedvips.domain.races.boundaries import boundary_feed
from goatedvips.domain.races.scores import FENCE, ranked, scored
from goatedvips.models.races import race_board_blocks as blocks
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races

PLACES = 100
"""In a block: as many as a page has at most."""

_FEED_ID = bindparam("feed_id", type_=races.c.board_feed_id.type)
_IS_LATE = bindparam("is_late", type_=Boolean)
_REQUESTED_AT = bindparam("requested_at", type_=races.c.start_date.type)
_RACE_IDS = bindparam("race_ids", type_=ARRAY(Integer))

_order = (participants.c.rank, participants.c.id)
# One array a race, sorted once and then cut: to group by the number of a block would sort the rows once more.
_boards = (
    select(
        participants.c.race_id,
        *(
            type_coerce(func.array_agg(aggregate_order_by(column, *_order)), ARRAY(Integer)).label(name)
            for name, column in (("ranks", participants.c.rank), ("ids", participants.c.id))
        ),
    )
    .where(participants.c.race_id == any_(_RACE_IDS), participants.c.is_listed, participants.c.is_placed)
    .group_by(participants.c.race_id)
    .cte("boards")
    .prefix_with("MATERIALIZED")
)
_count = func.cardinality(_boards.c.ids)
_cut = func.generate_series(PLACES, _count + PLACES - 1, PLACES).table_valued("last", name="cut").render_derived()
_last = _cut.c.last
_insert_blocks = insert(blocks).from_select(
    ["race_id", "last_rank", "last_id", "participant_ids"],
    select(
        _boards.c.race_id,
        _boards.c.ranks[func.least(_last, _count)],
        _boards.c.ids[func.least(_last, _count)],
        _boards.c.ids[_last - (PLACES - 1) : _last],
    ).select_from(_boards.join(_cut, true())),
)


def placed(rank: ColumnElement[Any]) -> dict[str, ColumnElement[Any]]:
    """Return what an update of `participants` that writes a rank has to write with it.

    The statement adds `deleted_blocks`, and a later one adds `inserted_blocks`.
    """
    return {"rank": rank, "noted_rank": rank, "unplaced_rank": null(), "is_placed": rank.is_not(None)}


def deleted_blocks(of_races: ColumnElement[bool]) -> CTE:
    """Return the delete of the blocks of some races.

    Parameters
    ----------
    of_races: a condition on `race_board_blocks`.
    """
    return delete(blocks).where(of_races).cte("delete_blocks")


def inserted_blocks() -> CTE:
    """Return the insert of the blocks of the races `race_ids`, by the ranks that an earlier statement has written."""
    return _insert_blocks.cte("insert_blocks")


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
    .values(_new | placed(_standing.c.rank) | {"updated_at": NOW})
    .add_cte(deleted_blocks(blocks.c.race_id == any_(_RACE_IDS)))
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
    written = connection.execute(_write_standings, given).rowcount
    connection.execute(_insert_blocks, {"race_ids": list(race_ids)})
    return written


def participants_of(
    block: FromClause,
    *more: ColumnElement[Any],
    source: FromClause | None = None,
    beyond: ColumnElement[int] | None = None,
    descending: bool = False,
) -> Subquery:
    """Return a subquery of the participants in some blocks, in the order of the board: `last_rank`, `last_id`, `place`.

    It has their `id`, and the columns `more`.

    Parameters
    ----------
    block: rows of `race_board_blocks`.
    source: a join that has the blocks, and what the other parameters refer to; None: only the blocks.
    beyond: the id of a participant. In their block, only those who come after them are returned.
    descending: the order is reversed.
    """
    member = func.unnest(block.c.participant_ids).table_valued("id", with_ordinality="place", name="member")
    member = member.render_derived()
    order = (block.c.last_rank, block.c.last_id, member.c.place)
    rows = select(*order, type_coerce(member.c.id, Integer).label("id"), *more)
    rows = rows.select_from((block if source is None else source).join(member, true()))
    if beyond is not None:
        place = func.array_position(cast(block.c.participant_ids, ARRAY(BigInteger)), beyond, type_=Integer)
        rows = rows.where(
            member.c.place < func.coalesce(place, PLACES + 1)
            if descending
            else member.c.place > func.coalesce(place, 0)
        )
    return (
        rows.order_by(*(column.desc() if descending else column for column in order)).offset(FENCE).subquery("placed")
    )
