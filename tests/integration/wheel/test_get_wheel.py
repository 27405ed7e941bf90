"""GET /v1/wheel shows anyone the segments of the wheel and their odds."""

from decimal import Decimal

import sqlalchemy as sa

from goatedvips.models.wheel import wheel_versions
from tests.support.functions import Functions
from tests.support.members import Members


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


def test_a_member_gets_the_same_answer_as_an_anonymous_caller(functions: Functions, members: Members) -> None:
    assert functions.call("get_wheel").text == functions.call("get_wheel", by=members.new()).text


def test_a_new_version_is_shown_and_spun(functions: Functions, members: Members, database: sa.Engine) -> None:
    segments = [{"label": "Half", "weight": 1, "value": "3.00"}, {"label": "Nothing", "weight": 2, "value": "0.00"}]
    with database.connect() as connection:
        version = connection.execute(
            sa.insert(wheel_versions).values(segments=segments).returning(wheel_versions.c.id)
        ).scalar_one()
    try:
        wheel = functions.call("get_wheel").json
        assert wheel["version"] == version
        assert [part["odds"] for part in wheel["segments"]] == [
            "0.3333333333333333333333333333",
            "0.6666666666666666666666666667",
        ]
        assert functions.call("spin_wheel", by=members.new()).json["segment"]["label"] in {"Half", "Nothing"}
    finally:
        with database.connect() as connection:
            connection.execute(
                sa.text("update wheel_spins set version_id = 1 where version_id = :version"), {"version": version}
            )
            connection.execute(sa.delete(wheel_versions).where(wheel_versions.c.id == version))
