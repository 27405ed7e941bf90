"""Participation: a member joins a race, at most once, and can leave it before it starts."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from goatedvips.connections import Connection
from goatedvips.domain import callers
from goatedvips.domain.callers import Caller
from goatedvips.domain.races import compiled_statements as statements
from goatedvips.errors import NotFound, RaceClosed, RaceFrozen


@dataclass(frozen=True, slots=True)
class Participation:
    """A member's participation in a race.

    Parameters
    ----------
    total_wager: US dollars wagered within the race.
    rank: from 1; None: not ranked.
    created: whether this call made it; otherwise it existed before.
    """

    race_id: int
    user_id: int
    joined_at: datetime
    total_wager: Decimal
    rank: int | None
    created: bool


def join(connection: Connection[Any], caller: Caller, race_id: int, *, now: datetime) -> Participation:
    """Let the member join the race. A member who has joined gets their participation again, also after the race's end.

    Raises
    ------
    NotFound
    RaceClosed: the race has ended, was cancelled or is settled.
    Unauthenticated, AccountSuspended, SelfExcluded, EmailUnverified
    """
    parameters = caller.parameters(now) | {"race_id": race_id}
    row = callers.one_or_none(connection, statements.JOIN_RACE, caller, parameters, now=now, playing=True)
    if row is None:  # the race is not open, or the member joined it in a concurrent request
        row = connection.execute(statements.SELECT_RACE_AND_PARTICIPATION, parameters).one_or_none()
    if row is None:
        raise NotFound
    if row.joined_at is None:
        raise RaceClosed
    return Participation(
        race_id=row.race_id,
        user_id=row.user_id,
        joined_at=row.joined_at,
        total_wager=row.total_wager,
        rank=row.rank,
        created=row.created,
    )


def leave(connection: Connection[Any], caller: Caller, race_id: int, *, now: datetime) -> None:
    """Let the member leave a race that has not started. A disqualification stays, so who has one cannot leave.

    Raises
    ------
    NotFound: there is no such race, or the member has not joined it.
    RaceFrozen: the race has started, or the member is disqualified.
    Unauthenticated, AccountSuspended
    """
    row = callers.one_or_none(connection, statements.LEAVE_RACE, caller, {"race_id": race_id}, now=now)
    if row is None:
        raise NotFound
    if row.has_started:
        raise RaceFrozen("A race that has started cannot be left")
    if row.is_disqualified:
        raise RaceFrozen("A disqualified participant cannot leave the race")
