"""GET /v1/wheel shows anyone the segments of the wheel and their odds, and the version that comes next."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.spins import Spins

HALVES = [{"label": "Half", "weight": 1, "value": "3.00"}, {"label": "Nothing", "weight": 2, "value": "0.00"}]
MIDNIGHT = datetime(2031, 5, 2, tzinfo=UTC)


def test_the_default_wheel_has_these_segments_and_odds(functions: Functions) -> None:
    answer = functions.call("get_wheel")
    assert answer.status == 200
    shown = [(part["label"], part["weight"], part["value"], part["odds"]) for part in answer.json["segments"]]
    assert shown == [
        ("$100", 1, "100.00", "0.0002"),
        ("$50", 2, "50.00", "0.0004"),
        ("$25", 5, "25.00", "0.001"),
        ("$2", 25, "2.00", "0.005"),
        ("$1", 500, "1.00", "0.1"),
        ("$0.10", 1000, "0.10", "0.2"),
        ("No win", 3467, "0.00", "0.6934"),
    ]
    assert sum(Decimal(odds) for *_, odds in shown) == 1
    assert (answer.json["in_force_from"], answer.json["next"]) == (None, None)


def test_a_member_gets_the_same_answer_as_an_anonymous_caller(functions: Functions, members: Members) -> None:
    assert functions.call("get_wheel").text == functions.call("get_wheel", by=members.new()).text


def test_a_version_is_shown_as_the_next_one_until_it_is_in_force_and_then_spun(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    before = MIDNIGHT - timedelta(microseconds=1)
    with Spins(database).version(HALVES, MIDNIGHT) as version:
        wheel = functions.call("get_wheel", now=before).json
        assert (wheel["version"], wheel["next"]["version"]) == (1, version)
        assert wheel["next"]["in_force_from"] == "2031-05-02T00:00:00Z"
        assert [part["odds"] for part in wheel["next"]["segments"]] == [
            "0.3333333333333333333333333333",
            "0.6666666666666666666666666667",
        ]
        spin = functions.call("spin_wheel", by=members.new(session_lifetime=timedelta(days=3650)), now=before).json
        assert spin["segment"]["label"] not in {"Half", "Nothing"}

        wheel = functions.call("get_wheel", now=MIDNIGHT).json
        assert (wheel["version"], wheel["in_force_from"], wheel["next"]) == (version, "2031-05-02T00:00:00Z", None)
        spin = functions.call("spin_wheel", by=members.new(session_lifetime=timedelta(days=3650)), now=MIDNIGHT).json
        assert spin["segment"]["label"] in {"Half", "Nothing"}


def test_of_two_versions_of_one_day_only_the_last_is_shown_and_used(functions: Functions, database: sa.Engine) -> None:
    spins = Spins(database)
    with spins.version(HALVES, MIDNIGHT), spins.version(HALVES[::-1], MIDNIGHT) as last:
        assert functions.call("get_wheel", now=MIDNIGHT - timedelta(hours=1)).json["next"]["version"] == last
        assert functions.call("get_wheel", now=MIDNIGHT).json["version"] == last
