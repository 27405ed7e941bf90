"""A member's own standing in a race: their rank, or the reason why they have none, and who is next to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, CALLER_PARAMETERS, Caller
from goatedvips.domain.first_statements import compile_at_import
from goatedvips.domain.races import boards
from goatedvips.domain.races.leaderboard import Standing, is_stale
from goatedvips.domain.races.leaderboard_statements import FRESHNESS
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.domain.races.scores import FENCE, history_so_far, mark, unranked_reason
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
from goatedvips.models.races import race_board_blocks as blocks
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races

SMALLEST_SCORE = Decimal("0.01")  # US dollars; a lower score is not ranked, whatever the race asks for


@dataclass(frozen=True, slots=True)
class OwnStanding:
    """A member's own place in a race.

    Parameters
    ----------
    rank: from 1; None: not ranked.
    total_wager: US dollars wagered within the race.
    unranked_reason: why there is no rank; None: there is one, or the next reading of the feed gives one.
    missing: US dollars that are still to be wagered for a rank; None: wagering more does not help, or is not needed.
    wager_history: how the score rose: `at`, when a feed was requested, and `total`, the score by then.
    as_of: when the feed was requested that the ranks come from; None: none has been read for this race yet.
    above, below: those next to the member, the nearest last and the nearest first.
    """

    rank: int | None
    total_wager: Decimal
    unranked_reason: str | None
    missing: Decimal | None
    wager_history: Sequence[Mapping[str, str]]
    as_of: datetime | None
    stale: bool
    above: Sequence[Standing]
    below: Sequence[Standing]


_AROUND = bindparam("around", type_=BigInteger)
_member = access.member(only_reads=True)
# By what holds now, which the last reading of the feed may not know yet; once the race is settled, by what held then.
_present_reason = unranked_reason(mark(races.c.end_date), participants.c.total_wager, races.c.min_wager)
_reason = func.coalesce(participants.c.unranked_reason, _present_reason)
# In an adopted row that the platform has not settled, the legacy application's history may be any JSON.
_history = case((participants.c.end_total.is_not(None), participants.c.wager_history), else_=history_so_far())
_own = (
    select(
        participants.c.id,
        participants.c.race_id,
        participants.c.rank,
        participants.c.total_wager,
        case((participants.c.rank.is_(None), _reason)).label("unranked_reason"),
        _history.label("wager_history"),
        (func.greatest(races.c.min_wager, SMALLEST_SCORE) - participants.c.total_wager).label("missing"),
        *FRESHNESS,
    )
    .select_from(_member)
    .join(users, users.c.id == _member.c.id)
    .join(participants, participants.c.member_key == CALLER_ID)
    .join(races, races.c.id == participants.c.race_id)
    .where(participants.c.race_id == RACE_ID)
    .cte("own")
)


_BLOCKS = (blocks.c.last_rank, blocks.c.last_id)
_of_race = select(blocks).where(blocks.c.race_id == _own.c.race_id).correlate(_own)
_is_later = tuple_(*_BLOCKS) >= tuple_(_own.c.rank, _own.c.id)
# The member is in the first block that ends with their place or a later one. Two blocks have more participants than one
# asks for.
_own_and_later = _of_race.where(_is_later).order_by(*_BLOCKS)
_earlier = _of_race.where(~_is_later).order_by(*(column.desc() for column in _BLOCKS))
_near = {
    "above": union_all(_own_and_later.limit(1), _earlier.limit(1)).lateral("near"),
    "below": _own_and_later.limit(2).lateral("near"),
}


def _next_to(side: str) -> Select[Any]:
    """Select the participants next to the member on one side: from blocks of the board, and by an index."""
    is_above = side == "above"

    def directed(*columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        return [column.desc() if is_above else column for column in columns]

    placed = boards.participants_of(
        _near[side],
        _own.c.rank.label("own_rank"),
        _own.c.id.label("own_id"),
        source=_own.join(_near[side], true()),
        beyond=_own.c.id,
        descending=is_above,
    )
    # A fence: the participants are read one by one, and no more of them than the member asks for.
    of_block = (
        select(participants)
        .where(participants.c.id == placed.c.id, participants.c.is_placed, participants.c.is_listed)
        .offset(FENCE)
        .lateral("of_block")
    )
    place, own_place = tuple_(of_block.c.rank, of_block.c.id), tuple_(placed.c.own_rank, placed.c.own_id)
    of_blocks = (
        select(of_block.c.rank, of_block.c.id, of_block.c.user_id, of_block.c.total_wager)
        .select_from(placed.join(of_block, true()))
        .where(place < own_place if is_above else place > own_place)
        .order_by(*directed(placed.c.last_rank, placed.c.last_id, placed.c.place))
        .limit(_AROUND)
    )
    columns = (participants.c.unplaced_rank, participants.c.id)
    place, own_place = tuple_(*columns), tuple_(_own.c.rank, _own.c.id)
    by_index = (
        select(participants)
        .where(
            participants.c.race_id == _own.c.race_id,
            participants.c.is_listed,
            ~participants.c.is_placed,
            place < own_place if is_above else place > own_place,
        )
        .order_by(*directed(*columns))
        .limit(_AROUND)
        .correlate(_own)
        .lateral("by_index")
    )
    unplaced = select(by_index.c.rank, by_index.c.id, by_index.c.user_id, by_index.c.total_wager)
    near = union_all(of_blocks, unplaced.select_from(_own.join(by_index, true()))).subquery(side)
    return (
        select(
            literal(side, Text).label("side"),
            near.c.rank,
            near.c.id,
            case((~users.c.hide_name, users.c.id)).label("user_id"),
            case((~users.c.hide_name, users.c.username)).label("username"),
            near.c.total_wager,
        )
        .outerjoin(users, users.c.id == near.c.user_id)
        .order_by(*directed(near.c.rank, near.c.id))
        .limit(_AROUND)
    )


_neighbours = union_all(*(select(_next_to(side).subquery()) for side in ("above", "below"))).subquery("neighbours")
_select_standing: Select[Any] = (
    select(
        *_own.c,
        _neighbours.c.side,
        _neighbours.c.rank.label("their_rank"),
        _neighbours.c.user_id.label("their_id"),
        _neighbours.c.username.label("their_username"),
        _neighbours.c.total_wager.label("their_total"),
    )
    .select_from(_own.outerjoin(_neighbours, true()))
    .order_by(_neighbours.c.rank, _neighbours.c.id)
)
compile_at_import(_select_standing, CALLER_PARAMETERS | {"race_id", "around"})


def get(connection: Connection, caller: Caller, race_id: int, *, around: int, now: datetime) -> OwnStanding:
    """Return the member's own standing, with at most `around` ranked participants on either side of a ranked member.

    Raises
    ------
    NotFound: there is no such race, or the member has not joined it.
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now) | {"race_id": race_id, "around": around}
    rows = connection.execute(_select_standing, parameters).all()
    if not rows:
        access.explain(connection, caller, now=now)
        raise NotFound
    own = rows[0]
    return OwnStanding(
        rank=own.rank,
        total_wager=own.total_wager,
        unranked_reason=own.unranked_reason,
        missing=own.missing if own.unranked_reason in {"no_wager", "below_min_wager"} else None,
        wager_history=own.wager_history or (),
        as_of=own.as_of,
        stale=is_stale(own, now),
        above=[_neighbour(row) for row in rows if row.side == "above"],
        below=[_neighbour(row) for row in rows if row.side == "below"],
    )


def _neighbour(row: Row[Any]) -> Standing:
    return Standing(row.their_rank, row.their_id, row.their_username, row.their_total)
