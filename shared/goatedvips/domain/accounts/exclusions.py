"""Exclusion from play (responsible gambling): immediate, never shortened, ended by the member once its end has passed.

A long one lasts for another day after the member has ended it. `access.player` refuses play to excluded members.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Boolean,
    Connection,
    Interval,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    update,
)

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.notifications.kinds import DURING_EXCLUSION, MEMBERS, kinds_with
from goatedvips.domain.notifications.outbox import withdrawn
from goatedvips.errors import ExclusionRunning, ExclusionShorter
from goatedvips.models.accounts import users
from goatedvips.models.notifications import notifications

LONG = timedelta(days=180)
"""An exclusion of this length or more is not over when the member ends it, but `REFLECTION` later."""
REFLECTION = timedelta(hours=24)
BATCH = 1000
"""The most exclusions that one run of the schedule ends."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An exclusion from play, until an instant or permanently."""

    excluded_until: datetime | None
    """The earliest end; None: the exclusion is permanent."""
    permanent: bool


_EXCLUSION = (users.c.excluded_until, users.c.excluded_permanently.label("permanent"))
_PERMANENT = bindparam("new_permanent", type_=Boolean)
_UNTIL = bindparam("new_end", type_=users.c.excluded_until.type)
_member = access.member()
# READ COMMITTED: a statement that waited for the row checks this again, so the longest of concurrent exclusions stays.
_not_shorter = or_(
    _PERMANENT,
    and_(~users.c.excluded_permanently, or_(users.c.excluded_until.is_(None), users.c.excluded_until <= _UNTIL)),
)
# What is not due yet would else appear in the inbox of a member who is excluded by then.
_is_stopped = notifications.c.kind.in_(kinds_with(*(MEMBERS - DURING_EXCLUSION)))
_exclude = (
    update(users)
    .where(users.c.id == _member.c.id, _not_shorter)
    .values(
        excluded_until=case((~_PERMANENT, _UNTIL)),
        excluded_permanently=_PERMANENT,
        # A longer exclusion goes on with the present one. Null in an excluded row: it began before all races.
        excluded_since=case((access.is_excluded(), users.c.excluded_since), else_=NOW),
    )
    .returning(*_EXCLUSION)
    .add_cte(withdrawn(_member.c.id, _is_stopped))
    .execution_options(commit_in_flight=True)
)
# Null where the member has not ended the exclusion, or has got a longer one since.
_is_ending = func.coalesce(users.c.exclusion_ends_at == users.c.excluded_until, false())
# One that is remembered for an address or a uid has no beginning, and may have been long.
_is_long = func.coalesce(users.c.excluded_until - users.c.excluded_since >= literal(LONG, Interval()), true())
_last_end = case(
    (_is_ending, users.c.excluded_until),
    (users.c.excluded_until.is_(None), null()),
    (_is_long, type_coerce(NOW + literal(REFLECTION, Interval()), users.c.excluded_until.type)),
)
_new_end = case((_last_end > NOW, _last_end))
_end_exclusion = (
    update(users)
    .where(
        users.c.id == _member.c.id,
        ~users.c.excluded_permanently,
        or_(users.c.excluded_until.is_(None), users.c.excluded_until <= NOW, _is_ending),
    )
    .values(
        excluded_until=_new_end,
        exclusion_ends_at=_new_end,
        excluded_permanently=false(),
        excluded_since=case((_new_end.is_not(None), users.c.excluded_since)),
    )
    .returning(users.c.id)
    .execution_options(commit_in_flight=True)
)
_ended = (
    select(users.c.id)
    .where(_is_ending, users.c.exclusion_ends_at <= NOW, ~users.c.excluded_permanently)
    .order_by(users.c.exclusion_ends_at)  # so by the index, however many the planner expects
    .limit(BATCH)
    .with_for_update(key_share=True, skip_locked=True)
    .cte("ended")
)
_end_due = (
    update(users)
    .where(users.c.id == _ended.c.id)
    .values(excluded_until=null(), exclusion_ends_at=null(), excluded_since=null())
)
_select_exclusion = select(*_EXCLUSION).where(users.c.id == CALLER_ID)


def exclude(connection: Connection, caller: Caller, days: int | None, *, now: datetime) -> Exclusion:
    """Exclude the member from play: no play of theirs commits after this transaction.

    The trigger `extend_given_up` applies the exclusion to the e-mail addresses and uids that the member gave up, too.

    Parameters
    ----------
    days: the number of 24-hour days; None: permanently.

    Raises
    ------
    ExclusionShorter: the present exclusion ends later; with its end.
    Unauthenticated, AccountSuspended
    """
    until = None if days is None else now + timedelta(days=days)
    parameters = caller.parameters(now) | {"new_permanent": days is None, "new_end": until}
    row = access.one_or_none(connection, _exclude, caller, parameters, now=now)
    if row is None:
        present = _read_exclusion(connection, caller)
        raise ExclusionShorter(excluded_until=present.excluded_until, permanent=present.permanent)
    return Exclusion(**row._mapping)


def end(connection: Connection, caller: Caller, *, now: datetime) -> None:
    """End the member's exclusion once its end has passed; without an exclusion it does nothing.

    One of `LONG` or more, or of an unknown length, gets a new end after `REFLECTION`, at which `end_due` ends it; until
    then ending it again changes nothing.

    Raises
    ------
    ExclusionRunning: the end has not passed, or the exclusion is permanent.
    Unauthenticated, AccountSuspended
    """
    if access.one_or_none(connection, _end_exclusion, caller, {}, now=now) is None:
        present = _read_exclusion(connection, caller)
        raise ExclusionRunning(excluded_until=present.excluded_until, permanent=present.permanent)


def end_due(connection: Connection, *, now: datetime) -> int:
    """End the long exclusions that their members have ended `REFLECTION` ago, at most `BATCH`; return how many."""
    return connection.execute(_end_due, {"now": now}).rowcount


def _read_exclusion(connection: Connection, caller: Caller) -> Exclusion:
    row = connection.execute(_select_exclusion, {"caller_id": caller.user_id}).one()
    return Exclusion(**row._mapping)
