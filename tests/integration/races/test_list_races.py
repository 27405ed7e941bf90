"""GET /v1/races: the list of races."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from goatedvips.domain.races import races
from tests.support.cursors import forge
from tests.support.functions import Functions
from tests.support.races import END, START, Races

LATE = datetime(2900, 1, 1, tzinfo=UTC)  # later than the races of other tests, so that these come first


def test_the_race_with_the_latest_start_comes_first(races: Races, functions: Functions) -> None:
    made = [
        races.new(start_date=LATE + timedelta(days=day), end_date=LATE + timedelta(days=9)) for day in (2, 0, 1, 1, 0)
    ]
    seen, query = [], {"limit": "2"}
    for _ in range(3):
        page = functions.call("list_races", query=query).json
        seen += [race["id"] for race in page["items"]]
        query["cursor"] = page["next_cursor"]
    assert seen[:5] == [made[0], made[3], made[2], made[4], made[1]]


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


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"status": "archived"}, "/status"),
        ({"status": ""}, "/status"),
        ({"limit": "0"}, "/limit"),
        ({"limit": "101"}, "/limit"),
        ({"limit": "1e1"}, "/limit"),
        ({"cursor": "x"}, "/cursor"),
        ({"cursor": urlsafe_b64encode(b"1").decode()}, "/cursor"),
        ({"cursor": urlsafe_b64encode(b"999999999999999999,1").decode()}, "/cursor"),
        ({"cursor": urlsafe_b64encode(b"-999999999999999999,1").decode()}, "/cursor"),
        ({"cursor": "ä"}, "/cursor"),
    ],
)
def test_a_wrong_query_is_refused(functions: Functions, query: dict[str, str], pointer: str) -> None:
    answer = functions.call("list_races", query=query)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_a_cursor_whose_race_no_one_has_just_goes_on_from_there(functions: Functions) -> None:
    cursor = forge(races._LATEST_START_FIRST, 0, 10**18 - 1)
    assert functions.call("list_races", query={"cursor": cursor}).json == {"items": [], "next_cursor": None}
