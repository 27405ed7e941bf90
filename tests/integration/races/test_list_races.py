"""GET /v1/races: the list of races."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.functions import Functions
from tests.support.races import END, START, Races

LATE = datetime(2900, 1, 1, tzinfo=UTC)  # later than the races of other tests, so that these come first


def test_the_status_and_its_filter_follow_the_clock(races: Races, functions: Functions) -> None:
    race_id, cancelled = races.new(status="live"), races.new(cancelled_at=START)
    moment = timedelta(microseconds=1)
    for now, status in (
        (START - moment, "upcoming"),
        (START, "live"),
        (END - moment, "live"),
        (END, "completed"),
    ):
        found = {
            wanted: [
                (race["id"], race["status"])
                for race in functions.call("list_races", now=now, query={"status": wanted, "limit": "100"}).json[
                    "items"
                ]
                if race["id"] in {race_id, cancelled}
            ]
            for wanted in ("upcoming", "live", "completed", "cancelled")
        }
        assert found.pop("cancelled") == [(cancelled, "cancelled")]
        assert found.pop(status) == [(race_id, status)]
        assert all(others == [] for others in found.values())


@pytest.mark.parametrize("status", ["archived", "", "Live"])
def test_an_unknown_status_is_refused(functions: Functions, status: str) -> None:
    answer = functions.call("list_races", query={"status": status})
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/status"]
