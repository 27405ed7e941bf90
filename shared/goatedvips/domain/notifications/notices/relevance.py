"""Whether a notification is still true when it is sent: its code is not claimed yet, its race not cancelled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, or_, select

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.deciding import Drop
from goatedvips.models.codes import bonus_codes as codes
from goatedvips.models.races import wager_races as races

_OF_CODES = {"code_issued", "win_expiring", "code_expiring"}
_is_named = or_(
    codes.c.id == bindparam("code_id", type_=codes.c.id.type),
    codes.c.batch_id == bindparam("batch_id", type_=codes.c.batch_id.type),
)
_can_be_claimed = and_(codes.c.claims == 0, codes.c.revoked_at.is_(None), codes.c.expires_at > NOW)
_select_codes = select(
    exists().where(_is_named, _can_be_claimed).label("can_be_claimed"),
    exists().where(_is_named, codes.c.claims > 0).label("is_claimed"),
)
_select_race = select(exists().where(races.c.id == bindparam("race_id"), races.c.cancelled_at.is_(None)))


def check(connection: Connection, kind: str, payload: Mapping[str, Any], *, now: datetime) -> Drop | None:
    """Return why a notification for a member is dropped; None: it is still true."""
    if kind in _OF_CODES:
        given = {name: payload[name] for name in ("code_id", "batch_id")}
        row = connection.execute(_select_codes, given | {"now": now}).one()
        if row.can_be_claimed:
            return None
        return Drop("claimed" if row.is_claimed else "no_longer_wanted")
    if kind == "race_started":
        race = connection.execute(_select_race, {"race_id": payload["race_id"]}).scalar_one()
        return None if race else Drop("no_longer_wanted")
    return None
