"""Exclusion (responsible gambling): at once, never shortened, and over once its end has passed and the member says so.

What keeps the excluded from play is the gate, `access.player`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Boolean, Connection, and_, bindparam, case, false, null, or_, select, update

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.errors import ExclusionRunning, ExclusionShorter
from goatedvips.models.accounts import users


@dataclass(frozen=True, slots=True)
class Exclusion:
    """From play, until an instant or for good."""

    excluded_until: datetime | None
    """None: for good."""
    permanent: bool


_EXCLUSION = (users.c.excluded_until, users.c.excluded_permanently)
_FOR_GOOD = bindparam("for_good", type_=Boolean)
_UNTIL = bindparam("new_end", type_=users.c.excluded_until.type)
_member = access.member()
# Looked at again once the row is locked: of several at once the longest stays, in whatever order they come.
_not_shorter = or_(
    _FOR_GOOD,
    and_(~users.c.excluded_permanently, or_(users.c.excluded_until.is_(None), users.c.excluded_until <= _UNTIL)),
)
_excluding = (
    update(users)
    .where(users.c.id == _member.c.id, _not_shorter)
    .values(excluded_until=case((~_FOR_GOOD, _UNTIL)), excluded_permanently=_FOR_GOOD)
    .returning(*_EXCLUSION)
    .execution_options(commit_in_flight=True)
)
_ending = (
    update(users)
    .where(
        users.c.id == _member.c.id,
        ~users.c.excluded_permanently,
        or_(users.c.excluded_until.is_(None), users.c.excluded_until <= NOW),
    )
    .values(excluded_until=null(), excluded_permanently=false())
    .returning(users.c.id)
    .execution_options(commit_in_flight=True)
)
_running = select(*_EXCLUSION).where(users.c.id == CALLER_ID)


def exclude(connection: Connection, caller: Caller, days: int | None, *, now: datetime) -> Exclusion:
    """Exclude the member from play from now on: no play of theirs commits after this.

    Parameters
    ----------
    days: how many times 24 hours; none: for good.

    Raises
    ------
    ExclusionShorter: than the one there is; with its end.
    Unauthenticated, AccountSuspended
    """
    until = None if days is None else now + timedelta(days=days)
    parameters = caller.parameters(now) | {"for_good": days is None, "new_end": until}
    row = access.one_or_none(connection, _excluding, caller, parameters, now=now)
    if row is None:
        present = _present(connection, caller)
        raise ExclusionShorter(excluded_until=present.excluded_until, permanent=present.permanent)
    return Exclusion(*row)


def end(connection: Connection, caller: Caller, *, now: datetime) -> None:
    """Let the member play again, once the time has passed; who is not excluded stays so.

    Raises
    ------
    ExclusionRunning: until its end, or for good.
    Unauthenticated, AccountSuspended
    """
    if access.one_or_none(connection, _ending, caller, {}, now=now) is None:
        present = _present(connection, caller)
        raise ExclusionRunning(excluded_until=present.excluded_until, permanent=present.permanent)


def _present(connection: Connection, caller: Caller) -> Exclusion:
    return Exclusion(*connection.execute(_running, {"caller_id": caller.user_id}).one())
