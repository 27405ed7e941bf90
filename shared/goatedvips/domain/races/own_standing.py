"""A member's own standing in a race: their rank, or the reason why they have none, and who is next to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
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
from goatedvips.domain.races.leaderboard import Standing, is_stale
from goatedvips.domain.races.leaderboard_statements import FRESHNESS
from goatedvips.domain.races.race_statements import RACE_ID
from goatedvips.domain.races.scores import history_so_far, mark, unranked_reason
from goatedvips.errors import NotFound
from goatedvips.models.accounts import users
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


def _next_to(own: CTE, side: str) -> Select[Any]:
    """Select the participants next to the member on one side, read by the index of the leaderboard."""
    place, own_place = tuple_(participants.c.rank, participants.c.id), tuple_(own.c.rank, own.c.id)
    columns = (participants.c.rank, participants.c.id)
    return (
        select(
            literal(side, Text).label("side"),
            participants.c.rank,
            participants.c.id,
            case((~users.c.hide_name, users.c.id)).label("user_id"),
            case((~users.c.hide_name, users.c.username)).label("username"),
            participants.c.total_wager,
        )
        .outerjoin(users, users.c.id == participants.c.user_id)
        .where(
            participants.c.race_id == own.c.race_id,
            participants.c.is_listed,
            place < own_place if side == "above" else place > own_place,
        )
        .order_by(*(column.desc() if side == "above" else column for column in columns))
        .limit(_AROUND)
    )


_neighbours = union_all(
    select(_next_to(_own, "above").correlate(_own).subquery()),
    select(_next_to(_own, "below").correlate(_own).subquery()),
).lateral("neighbours")
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
