"""Whether a notification is still true when it is sent: its code is not claimed yet, its race not cancelled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.deciding import Drop
from goatedvips.models.accounts import account_links as links
from goatedvips.models.codes import bonus_codes as codes
from goatedvips.models.races import wager_races as races
from goatedvips.models.tickets import ticket_messages as messages

_OF_CODES = ("code_issued", "win_expiring", "code_expiring")


def reason_against(kind: ColumnElement[str], payload: ColumnElement[Any]) -> ColumnElement[str | None]:
    """Return why a notification for a member is dropped, for a statement bound to `now`; null: it is still true.

    Parameters
    ----------
    payload: of the type JSONB.
    """
    is_named = or_(codes.c.id == _number(payload, "code_id"), codes.c.batch_id == _number(payload, "batch_id"))
    can_be_claimed = and_(codes.c.claims == 0, codes.c.revoked_at.is_(None), codes.c.expires_at > NOW)
    race = exists().where(races.c.id == _number(payload, "race_id"), races.c.cancelled_at.is_(None))
    answer = exists().where(messages.c.id == _number(payload, "message_id"), ~messages.c.is_internal)
    decision = exists().where(links.c.id == _number(payload, "link_id"))
    return case(
        (and_(kind.in_(_OF_CODES), exists().where(is_named, can_be_claimed)), null()),
        (and_(kind.in_(_OF_CODES), exists().where(is_named, codes.c.claims > 0)), "claimed"),
        (kind.in_(_OF_CODES), "no_longer_wanted"),
        (and_(kind == "race_started", ~race), "no_longer_wanted"),
        (and_(kind == "ticket_reply", ~answer), "no_longer_wanted"),
        (and_(kind == "link_decided", ~decision), "no_longer_wanted"),
        else_=cast(null(), Text),
    )


def _number(payload: ColumnElement[Any], name: str) -> ColumnElement[int]:
    return cast(payload[name].astext, Integer)


_select_reason: Select[str | None] = select(
    reason_against(bindparam("kind", type_=Text), bindparam("payload", type_=JSONB))
)


def check(connection: Connection, kind: str, payload: Mapping[str, Any], *, now: datetime) -> Drop | None:
    """Return why a notification for a member is dropped; None: it is still true."""
    reason = connection.execute(_select_reason, {"kind": kind, "payload": payload, "now": now}).scalar_one()
    return None if reason is None else Drop(reason)
