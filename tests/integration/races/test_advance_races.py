"""advance_races: races start, end and repeat by the clock."""

from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from goatedvips import time_zones
from goatedvips.config import settings
from goatedvips.domain.races import recurrence
from goatedvips.models.races import wager_race_participants
from tests.support.functions import Functions, load
from tests.support.members import Members
from tests.support.races import END, START, Races

MOMENT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _no_other_races(races: Races) -> None:
    """Remove all other races, since a run handles every race of the database."""
    races.remove_all()


def run(functions: Functions, now: datetime) -> Any:
    done = functions.invoke("advance_races", {"scheduled_time": "2026-11-24T14:39:00Z"}, now=now)
    return {name: count for name, count in done.items() if not name.endswith("_age")}


def counts(**expected: int) -> dict[str, int]:
    return {"started": 0, "completed": 0, "created": 0, "unknown_zones": 0, "ended_exclusions": 0} | expected


def test_a_status_is_written_when_the_clock_changes_it(races: Races, functions: Functions) -> None:
    race_id = races.new()
    for now, status, done in (
        (START - MOMENT, "upcoming", {}),
        (START, "live", {"started": 1}),
        (END - MOMENT, "live", {}),
        (END, "completed", {"completed": 1}),
        (END + timedelta(days=1), "completed", {}),
    ):
        before = races.row(race_id).updated_at
        assert run(functions, now) == counts(**done)
        row = races.row(race_id)
        assert row.status == status
        assert row.updated_at == (now if done else before)


def test_a_run_that_is_three_weeks_late_completes_an_upcoming_race(races: Races, functions: Functions) -> None:
    races.new()
    assert run(functions, END + timedelta(weeks=3)) == counts(completed=1)


def test_a_cancelled_race_is_not_changed(races: Races, functions: Functions) -> None:
    race_id = races.new(cancelled_at=START, time_zone="UTC")
    assert run(functions, END) == counts()
    assert races.row(race_id).status == "upcoming"


def test_while_the_legacy_application_runs_its_races_are_not_changed(
    races: Races, members: Members, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    legacy, ours = races.new(), races.new(created_by=members.staff().id)
    handler = load("advance_races")
    monkeypatch.setattr(handler, "settings", replace(settings, legacy_app=True))
    assert run(functions, START) == counts(started=1)
    assert (races.row(legacy).status, races.row(ours).status) == ("upcoming", "live")
    monkeypatch.setattr(handler, "settings", replace(settings, legacy_app=False))
    assert run(functions, START) == counts(started=1)
    assert races.row(legacy).status == "live"


def test_a_race_that_ended_before_the_adoption_keeps_its_status(
    races: Races, members: Members, functions: Functions
) -> None:
    legacy = races.new(status="live", settled_at=END)
    ours = races.new(status="live", settled_at=END, created_by=members.staff().id)
    assert run(functions, END) == counts(completed=1)
    assert (races.row(legacy).status, races.row(ours).status) == ("live", "completed")


def test_the_next_race_is_created_a_week_ahead_and_once(races: Races, members: Members, functions: Functions) -> None:
    staff = members.staff()
    race_id = races.new(time_zone="UTC", created_by=staff.id, rules="Play fair.", status="live", settled_at=None)
    due = END - timedelta(days=7)
    assert run(functions, due - MOMENT)["created"] == 0
    assert run(functions, due)["created"] == 1
    for now in (due, due + timedelta(days=3), END):
        assert run(functions, now)["created"] == (now == END), "the third race is created at the end of the first"
    (following,) = races.following(race_id)
    first = races.row(race_id)
    same = ("title", "type", "prize_pool", "min_wager", "prize_distribution", "rules", "description")
    assert [getattr(following, name) for name in same] == [getattr(first, name) for name in same]
    assert (following.start_date, following.end_date) == (END, END + timedelta(days=7))
    assert (following.time_zone, following.created_by) == ("UTC", staff.id)
    assert (following.cancelled_at, following.settled_at) == (None, None)
    assert following.created_at == due


def test_a_series_has_neither_gap_nor_overlap_across_clock_changes(races: Races, functions: Functions) -> None:
    # Berlin's clock goes back on 2026-10-25.
    start = datetime(2026, 10, 11, 22, tzinfo=UTC)
    race_id = races.new(
        type="weekly", time_zone="Europe/Berlin", start_date=start, end_date=start + timedelta(days=7), status="live"
    )
    now = start
    while now < datetime(2026, 11, 20, tzinfo=UTC):
        run(functions, now)
        now += timedelta(days=1)
    windows = []
    while following := races.following(race_id):
        windows.append((following[0].start_date, following[0].end_date))
        race_id = following[0].id
    assert windows[0][0] == start + timedelta(days=7)
    assert [end for _, end in windows[:-1]] == [begin for begin, _ in windows[1:]]
    assert [end - begin for begin, end in windows[:2]] == [timedelta(days=7, hours=1), timedelta(days=7)]


def test_a_zone_that_this_release_does_not_know_stops_no_other_race(races: Races, functions: Functions) -> None:
    unknown = [races.new(time_zone=name, end_date=END - MOMENT) for name in ("Mars/Olympus", "../UTC", "", "Europe")]
    berlin = races.new(time_zone="Europe/Berlin")
    assert run(functions, END) == counts(completed=5, created=1, unknown_zones=4)
    assert [races.following(race_id) for race_id in unknown] == [[]] * 4
    assert len(races.following(berlin)) == 1


def test_a_series_goes_on_without_gap_when_the_rules_of_its_zone_change(
    races: Races, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the release 2025b Vancouver had the rules of Los Angeles; by a later one it keeps summer time."""
    ended = datetime(2026, 12, 7, 8, tzinfo=UTC)
    race_id = races.new(time_zone="America/Vancouver", start_date=ended - timedelta(days=7), end_date=ended)
    with monkeypatch.context() as old_release:
        old_release.setattr(time_zones, "zone", lambda _: ZoneInfo("America/Los_Angeles"))
        run(functions, ended - timedelta(days=7))
    (second,) = races.following(race_id)
    assert (second.start_date, second.end_date) == (ended, datetime(2026, 12, 14, 8, tzinfo=UTC))
    run(functions, ended)
    (third,) = races.following(second.id)
    assert (third.start_date, third.end_date) == (second.end_date, datetime(2026, 12, 21, 7, tzinfo=UTC))


def test_windows_that_have_passed_are_left_out(races: Races, functions: Functions) -> None:
    race_id = races.new(time_zone="UTC", status="completed")
    now = END + timedelta(days=24)
    assert run(functions, now)["created"] == 1
    (following,) = races.following(race_id)
    assert (following.start_date, following.end_date) == (END + timedelta(days=21), END + timedelta(days=28))
    assert following.status == "live"
    assert run(functions, now)["created"] == 1, "the race that begins within a week"


def test_cancelling_the_last_race_of_a_series_ends_it(races: Races, functions: Functions) -> None:
    race_id = races.new(time_zone="UTC", cancelled_at=START)
    assert run(functions, END)["created"] == 0
    assert races.following(race_id) == []


def test_a_race_that_does_not_repeat_has_no_successor(races: Races, functions: Functions) -> None:
    races.new()
    assert run(functions, END)["created"] == 0


def test_an_error_is_raised_so_that_lambda_retries_the_run(
    races: Races, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    race_id = races.new(time_zone="UTC")
    with monkeypatch.context() as broken:
        broken.setattr(recurrence, "next_window", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(functions, END)
    assert races.row(race_id).status == "upcoming", "a failed run is rolled back"
    assert run(functions, END) == counts(completed=1, created=1)


def test_an_uncommitted_participation_does_not_stop_a_race_from_starting(
    races: Races, members: Members, functions: Functions, database: sa.Engine
) -> None:
    race_id, member = races.new(), members.new()
    with database.connect().execution_options(isolation_level="READ COMMITTED") as joining:
        joining.execute(sa.insert(wager_race_participants).values(race_id=race_id, user_id=member.id, total_wager=0))
        assert run(functions, START) == counts(started=1)
        joining.commit()
