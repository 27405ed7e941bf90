"""The clock of `make run`: it is moved by `make clock`, never goes back, and runs faster with SPEED."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from local import demo
from tests.support.make_run import ROOT, Run, start

# One platform for all of them, on one worker.
pytestmark = pytest.mark.xdist_group("clock")
COMMAND = """
import pathlib, sys
from database import local
local.FOLDER = pathlib.Path(sys.argv[1])
from local.schedules.command import main
main(*sys.argv[2:])
"""
LINE = re.compile(r"  (\S+)  (\w+): (.*)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    started = start(folder)
    yield started
    if started.process.poll() is None:
        started.stop()


def make_clock(folder: Path, to: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'shared'}"}
    command = [sys.executable, "-c", COMMAND, str(folder), to]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def shown(run: Run) -> datetime:
    clock = httpx.get(f"{run.base}/clock").json()
    return datetime.fromisoformat(clock["shows"])


def runs(output: str) -> list[tuple[datetime, str, str]]:
    return [(datetime.fromisoformat(at), function, outcome) for at, function, outcome in LINE.findall(output)]


def test_it_shows_the_real_time_at_first(run: Run, folder: Path) -> None:
    assert "Clock           the real time" in run.printed
    printed = make_clock(folder).stdout
    (at,) = re.findall(r"The clock shows (\S+) and runs 1 times", printed)
    assert abs(datetime.fromisoformat(at) - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("tomorrow", "TO=tomorrow is no instant: write it as in TO=2026-12-01T00:31Z"),
        ("2026-12-01T00:31", "TO=2026-12-01T00:31 has no time zone"),
        ("2020-01-01T00:00Z", "never goes back, so not to 2020-01-01T00:00:00Z"),
        ("2999-01-01T00:00Z", "2999-01-01T00:00:00Z is more than 366 days ahead"),
    ],
)
def test_a_move_that_is_not_possible_is_refused_with_a_sentence(run: Run, folder: Path, to: str, reason: str) -> None:
    before = shown(run)
    done = make_clock(folder, to)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert shown(run) - before < timedelta(minutes=1)


def test_a_page_of_another_site_cannot_move_it(run: Run) -> None:
    text = httpx.post(f"{run.base}/clock", content='{"to": "end"}', headers={"Content-Type": "text/plain"})
    assert text.status_code == 415


def test_handlers_and_schedules_follow_a_move(run: Run, folder: Path) -> None:
    login = {"login": demo.MEMBER, "password": demo.PASSWORD}
    token = httpx.post(f"{run.base}/v1/sessions", json=login).json()["token"]

    def spin() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{run.base}/v1/wheel/spins", headers=headers, json={}, timeout=30).status_code

    assert [spin(), spin()] == [201, 409]
    to = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    done = make_clock(folder, to.isoformat())
    ran = runs(done.stdout)
    assert timedelta() <= shown(run) - to < timedelta(minutes=2)
    assert spin() == 201, "another day"
    due = [at for at, _, _ in ran]
    assert {"AdvanceRacesFunction", "PurgeExpiredFunction"} <= {function for _, function, _ in ran}, done
    assert due == sorted(due)
    assert all(at <= to for at in due)


def test_end_and_settlement_are_those_of_the_month_s_race(run: Run, folder: Path) -> None:
    races = httpx.get(f"{run.base}/v1/races", params={"limit": 100}).json()["items"]
    (race,) = [race for race in races if race["title"] == demo.MONTH_RACE]
    end = datetime.fromisoformat(race["end_date"])
    assert (end.day, end.hour, end.minute) == (1, 0, 0)
    assert make_clock(folder, "end").returncode == 0
    assert timedelta() <= shown(run) - end < timedelta(minutes=2)
    assert httpx.get(f"{run.base}/v1/races/{race['id']}").json()["status"] == "completed"
    assert make_clock(folder, "settlement").returncode == 0
    assert timedelta() <= shown(run) - end - timedelta(minutes=31) < timedelta(minutes=2)
    assert "never goes back" in make_clock(folder, "end").stderr


def test_a_long_move_stops_where_races_start_and_end(run: Run, folder: Path) -> None:
    now = shown(run)
    races = httpx.get(f"{run.base}/v1/races", params={"limit": 100}).json()["items"]
    instants = {datetime.fromisoformat(race[name]) for race in races for name in ("start_date", "end_date")}
    to = now + timedelta(days=60)
    done = make_clock(folder, to.isoformat())
    advanced = [at for at, function, _ in runs(done.stdout) if function == "AdvanceRacesFunction"]
    stops = sorted(instant for instant in instants if now < instant < to)
    assert len(stops) >= 2
    assert [stop - at < timedelta(minutes=1) for stop, at in zip([*stops, to], advanced, strict=True)] == [True] * len(
        advanced
    )


def test_after_a_restart_it_goes_on_where_it_was_and_as_fast_as_it_shall(run: Run, folder: Path) -> None:
    assert make_clock(folder, (shown(run) + timedelta(minutes=10)).isoformat()).returncode == 0
    before = shown(run)
    run.stop()
    assert "`make run` is not running" in make_clock(folder).stderr
    again = start(folder, SPEED="600")
    try:
        assert "600 times as fast as the real one; `make db-reset`" in again.printed
        first = shown(again)
        assert first >= before
        end = time.monotonic() + 30
        while shown(again) < first + timedelta(hours=1):
            assert time.monotonic() < end, "6 s are an hour"
            time.sleep(0.1)
    finally:
        again.stop()


@pytest.mark.parametrize("speed", ["0", "fast", "1.5", "3601"])
def test_an_unreadable_speed_is_refused_with_a_sentence(folder: Path, speed: str) -> None:
    with pytest.raises(AssertionError, match=f"SPEED must be a whole number from 1 to 3600, not '{speed}'"):
        start(folder, SPEED=speed)
