"""The clock of the local platform."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.clock import BackwardsError, Clock, MovableClock
from local.pool import Function, Pool
from local.schedules.moves import Moves
from local.schedules.runner import Run

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CODE = """
from goatedvips.clock import utc_now
from goatedvips import postgres_server
def handler(event, context):
    return [utc_now().isoformat(), postgres_server.utc_now().isoformat(), context.get_remaining_time_in_millis()]
"""


WAITING = """
import time
from goatedvips.clock import utc_now
def handler(event, context):
    began = utc_now()
    open(event, "w").close()
    while (passed := (utc_now() - began).total_seconds()) < 60 and context.get_remaining_time_in_millis() > 1000:
        time.sleep(0.01)
    return passed
"""


def test_it_shows_the_real_time_until_it_is_moved() -> None:
    clock = MovableClock()
    assert abs(clock.now() - datetime.now(UTC)) < MINUTE
    to = clock.now() + 3 * DAY
    clock.move(to)
    assert timedelta() <= clock.now() - to < MINUTE
    with pytest.raises(BackwardsError):
        clock.move(to - DAY)
    assert timedelta() <= clock.now() - to < MINUTE


def test_it_runs_at_its_speed() -> None:
    origin = datetime(2026, 12, 1, tzinfo=UTC)
    shown = Clock(origin, datetime.now(UTC) - timedelta(seconds=10), 600).now()
    assert 6000 <= (shown - origin).total_seconds() < 6000 + 600 * 10


def test_it_can_show_the_past_for_a_while() -> None:
    clock, past = MovableClock(), datetime(2026, 1, 1, tzinfo=UTC)
    with clock.showing(past):
        assert timedelta() <= clock.now() - past < MINUTE
    assert abs(clock.now() - datetime.now(UTC)) < MINUTE


def test_it_never_goes_back_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    clock = MovableClock(file=file)
    clock.note()
    assert not file.exists(), "a clock that shows the real time needs no note"
    to = clock.now() + 30 * DAY
    clock.move(to)
    assert to <= MovableClock(file=file).now() < to + MINUTE
    file.unlink()
    assert MovableClock(file=file).now() < to - DAY


def test_a_clock_in_the_past_or_an_unreadable_one_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    for text in ('{"shows": "2020-01-01T00:00:00+00:00"}', '{"shows": 1}', "{}", "[]", "not JSON"):
        file.write_text(text)
        assert abs(MovableClock(file=file).now() - datetime.now(UTC)) < MINUTE


class SlowSchedules:
    """Runs that take so long that a fast clock shows an hour more after each move."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock

    def move(self, to: datetime) -> Iterator[Run]:
        self.clock.move(to)
        yield Run("Work", to, "nothing to do")
        self.clock.move(self.clock.now() + 60 * MINUTE)


class NoEvents:
    """No events are waited for."""

    def wait(self, _seconds: float) -> bool:
        return True


def test_a_fast_clock_may_pass_the_instant_before_all_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MovableClock()
    stop = clock.now() + DAY
    target = stop + 31 * MINUTE
    moves = Moves(clock, SlowSchedules(clock), NoEvents(), "", "")  # type: ignore[arg-type]
    monkeypatch.setattr(moves, "_next_stop", lambda _: stop if clock.now() < stop else target)
    assert [run.due for run in moves.move(target.isoformat())] == [stop]
    assert target < clock.now() < target + 60 * MINUTE


def test_handlers_read_the_clock_while_time_outs_and_the_signature_for_aws_follow_the_real_time(tmp_path: Path) -> None:
    file = tmp_path / "code" / "work.py"
    file.parent.mkdir()
    file.write_text(CODE)
    clock = MovableClock()
    function = Function("WorkFunction", file, "handler", timeout=10, memory=128, variables={}, layers=())
    pool = Pool([function], tmp_path / "log", limit=1, clock=clock)
    try:
        for ahead in (timedelta(), 30 * DAY, 60 * DAY):  # by the same worker, with the handler loaded once
            if ahead:
                clock.move(datetime.now(UTC) + ahead)
            shown, signed, milliseconds = pool.invoke("WorkFunction", None)
            assert abs(datetime.fromisoformat(shown) - clock.now()) < MINUTE
            assert abs(datetime.fromisoformat(signed) - datetime.now(UTC)) < MINUTE
            assert 0 < milliseconds <= 10_000
    finally:
        pool.stop()


def test_a_call_that_takes_long_follows_a_move(tmp_path: Path) -> None:
    file, began = tmp_path / "code" / "work.py", tmp_path / "began"
    file.parent.mkdir()
    file.write_text(WAITING)
    clock = MovableClock()
    function = Function("WorkFunction", file, "handler", timeout=20, memory=128, variables={}, layers=())
    pool = Pool([function], tmp_path / "log", limit=1, clock=clock)
    try:
        with ThreadPoolExecutor(1) as executor:
            for ahead in (DAY, 3 * DAY):
                passed = executor.submit(pool.invoke, "WorkFunction", str(began))
                while not began.exists():
                    time.sleep(0.01)
                clock.move(clock.now() + ahead)
                assert timedelta() <= timedelta(seconds=passed.result()) - ahead < MINUTE
                began.unlink()
    finally:
        pool.stop()
