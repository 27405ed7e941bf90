"""GET /v1/races/history: the archive, the race with the latest end first."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from goatedvips.models.races import historical_races
from tests.support.functions import Functions
from tests.support.races import END, Races


@pytest.fixture(autouse=True)
def empty_archive(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(historical_races))


def test_pages_go_from_the_latest_end_to_the_first(races: Races, functions: Functions) -> None:
    days = [3, 1, 2, 2]
    ids = [races.archive(end_date=END + timedelta(days=day)) for day in days]
    expected = [ids[0], ids[3], ids[2], ids[1]]
    first = functions.call("list_past_races", query={"limit": "3"}).json
    rest = functions.call("list_past_races", query={"limit": "3", "cursor": first["next_cursor"]}).json
    assert [one["id"] for one in first["items"] + rest["items"]] == expected
    assert rest["next_cursor"] is None


def test_an_adopted_row_and_one_of_ours(races: Races, functions: Functions) -> None:
    races.archive(participant_count="many", metadata={"title": "Ours", "type": "weekly", "secret": 1})
    races.archive(end_date=END - timedelta(days=1))
    ours, adopted = functions.call("list_past_races").json["items"]
    assert adopted == {
        "id": adopted["id"],
        "race_id": None,
        "title": None,
        "type": None,
        "month": "June",
        "year": "2026",
        "prize_pool": "500.00",
        "start_date": "2026-06-01T00:00:00Z",
        "end_date": "2026-06-07T00:00:00Z",
        "total_wagered": "1234.50",
        "participant_count": 1,
    }
    assert (ours["title"], ours["type"], ours["participant_count"]) == ("Ours", "weekly", None)


def test_a_bad_cursor_or_limit_is_refused(functions: Functions) -> None:
    for query in ({"cursor": "x"}, {"limit": "0"}, {"limit": "101"}):
        answer = functions.call("list_past_races", query=query)
        assert (answer.status, answer.json["code"]) == (422, "validation_failed")
