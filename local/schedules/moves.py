"""Moves the clock of a running platform: the routes that `make clock` calls, and the instants that it knows by name.

A move stops at each start and end of a race on its way, because a race is decided by the feeds that are requested at
these instants. At each stop, and at its end, every schedule that was due meanwhile runs once.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus

from flask import Flask, Response, jsonify, request
from sqlalchemy import func, select, union

from goatedvips.models.races import wager_races
from local.clock import BackwardsError, MovableClock, written
from local.schedules.runner import Run, Schedules
from local.stand_ins.event_bridge import EventBridge
from migrations.upgrade import engine

SETTLEMENT_DELAY = timedelta(minutes=31)
"""After the end of a race. Half an hour passes between the ingestion of the feed of its end and the settlement."""
EVENT_PATIENCE = 30.0
"""Real seconds for which a move waits at each stop until the events of S3 are handled: a feed that was requested
there is then ingested before anything runs that is due at the next stop."""
LONGEST_MOVE = timedelta(days=366)
EXAMPLES = "as in TO=2026-12-01T00:31Z, TO=end or TO=settlement"


class MoveError(ValueError):
    """The clock cannot be moved so; the text says why."""


class Moves:
    """Moves a clock, and stops where races start and end.

    Parameters
    ----------
    url: of the platform's database.
    title: of the demo's race that `end` and `settlement` mean.

    """

    def __init__(self, clock: MovableClock, schedules: Schedules, events: EventBridge, url: str, title: str) -> None:
        self.clock, self._schedules, self._events, self._url, self._title = clock, schedules, events, url, title

    def move(self, to: str) -> Iterator[Run]:
        """Move the clock to an instant, and yield each run that was due.

        Parameters
        ----------
        to: an instant as RFC 3339 has it, the seconds left out if wished; or `end` or `settlement` of the demo's race.

        Raises
        ------
        MoveError: `to` is no instant, or too far away.
        BackwardsError: it has passed.

        """
        target, now = self._instant(to), self.clock.now()
        if target < now:
            raise BackwardsError(f"The clock shows {written(now)} and never goes back, so not to {written(target)}.")
        if target > now + LONGEST_MOVE:
            raise MoveError(f"{written(target)} is more than {LONGEST_MOVE.days} days ahead.")
        while (stop := self._next_stop(target)) < target:
            yield from self._move(stop)
        yield from self._move(target)

    def _move(self, to: datetime) -> Iterator[Run]:
        with suppress(BackwardsError):  # a fast clock has passed the instant meanwhile: what was due runs by itself
            yield from self._schedules.move(to)
        self._events.wait(EVENT_PATIENCE)

    def _instant(self, to: str) -> datetime:
        if to in {"end", "settlement"}:
            return self._end_of_race() + (SETTLEMENT_DELAY if to == "settlement" else timedelta())
        try:
            instant = datetime.fromisoformat(to)
        except ValueError:
            raise MoveError(f"TO={to} is no instant: write it {EXAMPLES}.") from None
        if instant.tzinfo is None:
            raise MoveError(f"TO={to} has no time zone: write it {EXAMPLES}.")
        return instant

    def _end_of_race(self) -> datetime:
        """Return the end of the demo's newest race of this title."""
        race = select(wager_races.c.end_date).where(
            wager_races.c.title == self._title, wager_races.c.cancelled_at.is_(None)
        )
        with engine(self._url).connect() as connection:
            end: datetime | None = connection.scalar(race.order_by(wager_races.c.id.desc()).limit(1))
        if end is None:
            raise MoveError(f"There is no race {self._title!r}: name an instant, {EXAMPLES}.")
        return end

    def _next_stop(self, target: datetime) -> datetime:
        """Return the first start or end of a race after the present instant; the target if none is before it."""
        now = self.clock.now()
        starts, ends = (
            select(instant.label("at")).where(instant > now, instant < target, wager_races.c.cancelled_at.is_(None))
            for instant in (wager_races.c.start_date, wager_races.c.end_date)
        )
        instants = union(starts, ends).subquery()
        with engine(self._url).connect() as connection:
            return connection.scalar(select(func.min(instants.c.at))) or target


def serve(app: Flask, moves: Moves, show: Callable[[str], None]) -> None:
    """Add the routes that `make clock` calls.

    Parameters
    ----------
    show: shows a line to whoever started the platform.

    """

    @app.get("/clock")
    def read() -> Response:
        return jsonify(shows=written(moves.clock.now()), speed=moves.clock.present.speed)

    @app.post("/clock")
    def move() -> tuple[Response, int] | Response:
        given = request.get_json()
        lines = []
        try:
            for run in moves.move(str(given["to"]) if isinstance(given, dict) and "to" in given else ""):
                lines.append(f"  {written(run.due)}  {run.function}: {run.outcome}")
                show(lines[-1])
        except (BackwardsError, MoveError) as error:
            return jsonify(message=str(error)), HTTPStatus.CONFLICT
        lines.append(f"The clock shows {written(moves.clock.now())}.")
        show(lines[-1])
        return jsonify(lines=lines)
