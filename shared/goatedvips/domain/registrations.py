"""Registrations, counted; with them whatever else tells, by its refusal, who has an account."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from goatedvips.domain import attempts
from goatedvips.models.accounts import attempts as attempt_rows

REGISTRATIONS = attempts.Throttle("register", limit=10, window=timedelta(hours=1))
"""From one address."""

_turn = select(attempts.TURN)
_count = attempts.counting("register", REGISTRATIONS.opens_at(attempt_rows.c.address == attempts.ADDRESS))


def count(connection: Connection, address: str, *, now: datetime) -> None:
    """Count one before anything is looked up: its refusal tells who has an account.

    Raises
    ------
    TooManyAttempts
    """
    connection.execute(_turn, attempts.turn("register", address))
    attempts.count(connection, _count, "", address, now=now)
