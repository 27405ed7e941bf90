"""GET /v1/races/{id}: one race."""

from datetime import timedelta
from decimal import Decimal

from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.races import START, Races


def test_the_answer_has_the_race_and_the_number_of_its_participants(
    races: Races, members: Members, functions: Functions
) -> None:
    race_id = races.new(prize_pool=Decimal("100.1"), rules="Play fair.")
    for _ in range(3):
        races.enter(race_id, members.new().id)
    answer = functions.call("get_race", path=f"/v1/races/{race_id}", now=START - timedelta(days=1))
    assert answer.json == {
        "id": race_id,
        "title": "June's first",
        "type": "weekly",
        "status": "upcoming",
        "prize_pool": "100.10",
        "start_date": "2026-06-01T00:00:00Z",
        "end_date": "2026-06-08T00:00:00Z",
        "min_wager": "10.00",
        "prize_distribution": {"1": 50, "2": 30.5},
        "rules": "Play fair.",
        "description": None,
        "participants": 3,
    }
    assert '"2":30.5' in answer.text.replace(" ", "")


def test_adopted_rows_are_answered_unchanged(races: Races, functions: Functions) -> None:
    for distribution in ({"first": "half", "2": None}, [50, 30], "50/30", {}, None, 7):
        race_id = races.new(type="daily", status="paused", prize_distribution=distribution, title="", end_date=START)
        answer = functions.call("get_race", path=f"/v1/races/{race_id}", now=START)
        assert answer.status == 200, answer.text
        assert (answer.json["type"], answer.json["status"]) == ("daily", "completed")
        assert answer.json["prize_distribution"] == distribution


def test_an_id_that_no_race_has_is_not_found(functions: Functions) -> None:
    for race_id in (2**31 - 1, 2**31, 0, -1, "1.5", "one", "9" * 400):
        answer = functions.call("get_race", path=f"/v1/races/{race_id}")
        assert (answer.status, answer.json["code"]) == (404, "not_found"), race_id
