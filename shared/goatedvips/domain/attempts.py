"""Attempts, counted to slow guessing down, and the throttles that they add up to."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Interval,
    ScalarSelect,
    Select,
    Text,
    bindparam,
    func,
    insert,
    literal,
    select,
    true,
    type_coerce,
)

from goatedvips.domain.access import NOW
from goatedvips.errors import TooManyAttempts
from goatedvips.models.accounts import attempts

SUBJECT = bindparam("subject", type_=Text)
ADDRESS = bindparam("address", type_=Text)


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `limit` attempts of a kind within any `window`."""

    kind: str
    limit: int
    window: timedelta

    def opens_at(self, same: ColumnElement[bool]) -> ScalarSelect[datetime]:
        """When the next attempt is let through, as a part of a statement bound to `now`; null: at once.

        Parameters
        ----------
        same: which attempts count together, such as `attempts.c.subject == …`.
        """
        window = literal(self.window, Interval())
        return (
            select(type_coerce(attempts.c.attempted_at + window, attempts.c.attempted_at.type))
            .where(attempts.c.kind == self.kind, same, attempts.c.attempted_at > NOW - window)
            .order_by(attempts.c.attempted_at.desc())
            .offset(self.limit - 1)
            .limit(1)
            .scalar_subquery()
        )


def too_many(opens_at: datetime, *, now: datetime) -> TooManyAttempts:
    """The refusal of an attempt before the throttle opens."""
    return TooManyAttempts(retry_after=max(1, math.ceil((opens_at - now).total_seconds())))


def counted(kind: str, subject: str, address: str, *, now: datetime) -> Insert:
    """The statement that counts an attempt without asking: for what a refusal leaves behind."""
    return insert(attempts).values(kind=kind, subject=subject, address=address, attempted_at=now)


def in_turn(name: ColumnElement[str]) -> ColumnElement[None]:
    """Lets no two transactions count for one `name` at once, until their end.

    It belongs into a statement before the one that counts: a statement sees what was committed before it began, not
    what was committed while it waited.
    """
    return func.pg_advisory_xact_lock(func.hashtextextended(name, 0)).label("turn")


TURN = in_turn(bindparam("turn", type_=Text))


def turn(kind: str, address: str) -> dict[str, str]:
    """What `TURN` is bound to, for the attempts of a kind from an address."""
    return {"turn": f"{kind}:{address}"}


def counting(kind: str, opens_at: ColumnElement[datetime]) -> Select[Any]:
    """The statement that counts an attempt where it is let through; see `count`."""
    door = select(opens_at.label("opens_at")).cte("door")
    attempt = (
        insert(attempts)
        .from_select(
            ["kind", "subject", "address", "attempted_at"],
            select(literal(kind), SUBJECT, ADDRESS, NOW).where(door.c.opens_at.is_(None)),
        )
        .returning(attempts.c.id)
        .cte("attempt")
    )
    both = door.outerjoin(attempt, true())
    return select(door.c.opens_at, attempt.c.id).select_from(both).execution_options(commit_in_flight=True)


def count(connection: Connection, counting: Select[Any], subject: str, address: str, *, now: datetime) -> int:
    """Count an attempt, in its turn, and return its id.

    Raises
    ------
    TooManyAttempts: there were too many; this one isn't counted.
    """
    row = connection.execute(counting, {"subject": subject, "address": address, "now": now}).one()
    if row.opens_at is not None:
        raise too_many(row.opens_at, now=now)
    return int(row.id)
