"""The platform's key figures for staff. `figures` counts them in the background; a request only reads them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, func, select, true

from goatedvips.domain import access
from goatedvips.domain.access import Caller
from goatedvips.domain.operations.figures import TICKETS
from goatedvips.models.operations import figures
from goatedvips.models.wagers import feeds

PRIORITIES = ("high", "medium", "low")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_staff = access.staff()
# Before the first count it is one row without a name.
_select_figures: Select[Any] = select(
    figures.c.name,
    figures.c.value,
    figures.c.as_of,
    select(func.max(feeds.c.requested_at)).where(feeds.c.uid_count > 0).scalar_subquery().label("read_at"),
    select(feeds.c.token_ends_at)
    .order_by(feeds.c.requested_at.desc(), feeds.c.key.desc())
    .limit(1)
    .scalar_subquery()
    .label("token_ends_at"),
).select_from(_staff.outerjoin(figures, true()))


def get(connection: Connection, caller: Caller, *, now: datetime) -> Mapping[str, object]:
    """Return the figures, in the shape of `validators.operations.Overview`.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden
    """
    rows = connection.execute(_select_figures, caller.parameters(now)).all()
    if not rows:
        access.explain(connection, caller, now=now, staff=True)
    values: dict[str, Decimal | None] = {row.name: row.value for row in rows if row.name is not None}
    read_at = rows[0].read_at
    age = None if read_at is None else max(0, int((now - read_at).total_seconds()))
    return {
        "as_of": min((row.as_of for row in rows if row.name is not None), default=None),
        "members": {
            "all": _count(values, "members.all"),
            "new_today": _count(values, "members.new_today"),
            "new_this_week": _count(values, "members.new_this_week"),
            "active": _count(values, "members.active"),
            "approximate": [],
        },
        "wagers": {period: values.get(f"wagers.{period}", 0) for period in ("today", "week", "month")},
        "races": {"live": _count(values, "races.live"), "unsettled": _count(values, "races.unsettled")},
        "tickets": _tickets(values),
        "codes": {
            "issued": _count(values, "codes.issued"),
            "claimed": _count(values, "codes.claimed"),
            "outstanding": values.get("codes.outstanding", 0),
            "claims_left": _count(values, "codes.claims_left"),
            "unlimited": _count(values, "codes.unlimited"),
            "approximate": ["issued", "claimed"],
        },
        "rewards": {
            "unpaid": _count(values, "rewards.unpaid"),
            "amount": values.get("rewards.amount", 0),
            "open": values.get("rewards.open", 0),
        },
        "mail": {"queued": _count(values, "mail.queued"), "failed": _count(values, "mail.failed")},
        "feed": {"read_at": read_at, "age_seconds": age, "token_ends_at": rows[0].token_ends_at},
    }


def _count(values: Mapping[str, Decimal | None], name: str) -> int | None:
    """A whole number: 0 before the first count, null if it is unknown."""
    value = values.get(name, Decimal(0))
    return None if value is None else int(value)


def _tickets(values: Mapping[str, Decimal | None]) -> list[dict[str, object]]:
    """One entry for each priority, the known ones first: adopted tickets may have others."""
    counted = {name.removeprefix(TICKETS).rpartition(".")[0] for name in values if name.startswith(TICKETS)}
    tickets: list[dict[str, object]] = []
    for priority in (*PRIORITIES, *sorted(counted.difference(PRIORITIES))):
        oldest = values.get(f"{TICKETS}{priority}.oldest_at")
        oldest_at = None if oldest is None else _EPOCH + timedelta(microseconds=int(oldest * 1_000_000))
        waiting = _count(values, f"{TICKETS}{priority}.waiting")
        tickets.append({"priority": priority, "waiting": waiting, "oldest_at": oldest_at})
    return tickets
