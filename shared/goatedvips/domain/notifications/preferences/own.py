"""A member's own notification preferences: read them, change them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain import access
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.notifications.kinds import PREFERENCES, kinds_with
from goatedvips.domain.notifications.outbox import withdrawn
from goatedvips.domain.notifications.preferences.switches import is_channel_on, is_on
from goatedvips.models.notifications import notification_preferences as preferences
from goatedvips.models.notifications import notifications

_CHANNELS = ("email_notifications", "push_notifications")
_SWITCHES = (*sorted(map(str, PREFERENCES)), *_CHANNELS)
_QUIET = ("quiet_from", "quiet_to", "time_zone")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a member wants to be notified of, how, and when not.

    Parameters
    ----------
    promotional_offers: whether the member has consented to them.
    promotional_consented_at: since when; None: they have not.
    quiet_from, quiet_to: local times of the time zone; None: there are no quiet hours.
    time_zone: IANA name.
    """

    wager_race_updates: bool
    vip_status_changes: bool
    promotional_offers: bool
    monthly_statements: bool
    email_notifications: bool
    push_notifications: bool
    promotional_consented_at: datetime | None
    quiet_from: time | None
    quiet_to: time | None
    time_zone: str | None


_values: tuple[ColumnElement[Any], ...] = (
    *(is_on(switch).label(switch) for switch in sorted(PREFERENCES)),
    *(is_channel_on(channel).label(channel) for channel in _CHANNELS),
    preferences.c.promotional_consented_at,
    *(preferences.c[name] for name in _QUIET),
)
_reader = access.member(only_reads=True)
_select_own: Select[*tuple[Any, ...]] = (
    select(*_values).select_from(_reader).outerjoin(preferences, preferences.c.user_id == _reader.c.id)
)

_new = {name: bindparam(f"new_{name}", type_=Boolean) for name in _SWITCHES}
_new_quiet = {name: bindparam(f"new_{name}", type_=preferences.c[name].type) for name in _QUIET}
_GIVES_QUIET = bindparam("gives_quiet", type_=Boolean)
_CONSENTS = _new["promotional_offers"]
_member = access.member()
# Each new row writes a consent or none, because the table's default for promotional offers is on.
_first = {name: func.coalesce(new, literal(value=name != "promotional_offers")) for name, new in _new.items()}
_insert = insert(preferences).from_select(
    ["user_id", "updated_at", "promotional_consented_at", *_first, *_new_quiet],
    select(_member.c.id, NOW, case((_CONSENTS, NOW)), *_first.values(), *_new_quiet.values()),
)
_was_on = and_(preferences.c.promotional_offers, preferences.c.promotional_consented_at.is_not(None))
_upsert = _insert.on_conflict_do_update(
    index_elements=["user_id"],
    set_={
        **{name: func.coalesce(new, preferences.c[name]) for name, new in _new.items()},
        **{name: case((_GIVES_QUIET, new), else_=preferences.c[name]) for name, new in _new_quiet.items()},
        "promotional_consented_at": case(
            (and_(_CONSENTS, ~_was_on), NOW),
            (_CONSENTS.is_(False), null()),
            else_=preferences.c.promotional_consented_at,
        ),
        "updated_at": NOW,
    },
).returning(*_values)
_changed = _upsert.cte("changed")
# What is not due yet would else appear in the inbox although its switch is off by then.
_is_switched_off = or_(
    *(and_(_new[switch].is_(False), notifications.c.kind.in_(kinds_with(switch))) for switch in sorted(PREFERENCES))
)
_withdraw = withdrawn(_member.c.id, _is_switched_off)
_change_own: Select[*tuple[Any, ...]] = select(*_changed.c).add_cte(_withdraw).execution_options(commit_in_flight=True)


def read(connection: Connection, caller: Caller, *, now: datetime) -> Preferences:
    """Return the caller's preferences, or the defaults.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    return _preferences(access.one(connection, _select_own, caller, {}, now=now))


def change(connection: Connection, caller: Caller, given: Mapping[str, object], *, now: datetime) -> Preferences:
    """Change the caller's preferences and return all of them.

    A consent to promotional offers has the time of this change. Consenting again keeps the time of the first consent.

    Parameters
    ----------
    given: the six switches and `quiet_from`, `quiet_to` and `time_zone`; absent ones do not change. The last three are
        given together: all null end the quiet hours.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    new = {f"new_{name}": given.get(name) for name in (*_SWITCHES, *_QUIET)}
    parameters = new | {"gives_quiet": any(name in given for name in _QUIET)}
    return _preferences(access.one(connection, _change_own, caller, parameters, now=now))


def _preferences(row: Row[*tuple[Any, ...]]) -> Preferences:
    return Preferences(**row._mapping)
