"""PUT /v1/admin/wheel: staff publish a version of the wheel, which is in force from the next UTC day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from goatedvips.models.wheel import wheel_versions
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.spins import remove_versions

LAST_MINUTE = datetime(2031, 5, 1, 23, 59, tzinfo=UTC)
LOSS = {"label": "No win", "weight": 3, "value": "0.00"}


@pytest.fixture(autouse=True)
def _only_the_first_version_stays(database: sa.Engine) -> Iterator[None]:
    yield
    remove_versions(database)


def test_a_version_is_in_force_from_the_next_utc_day(functions: Functions, members: Members) -> None:
    staff = members.staff(session_lifetime=timedelta(days=3650))
    segments = [{"label": "  Über $5 ", "weight": 1, "value": "5"}, LOSS]
    answer = functions.call("publish_wheel", by=staff, body={"segments": segments}, now=LAST_MINUTE)
    assert answer.status == 201, answer.text
    assert answer.json["in_force_from"] == "2031-05-02T00:00:00Z"
    assert answer.json["segments"] == [
        {"label": "Über $5", "weight": 1, "value": "5.00", "odds": "0.25"},
        LOSS | {"odds": "0.75"},
    ]
    assert functions.call("get_wheel", now=LAST_MINUTE).json["next"] == answer.json
    tomorrow = functions.call("get_wheel", now=LAST_MINUTE + timedelta(minutes=1)).json
    assert tomorrow == answer.json | {"next": None}


def test_the_version_is_in_the_audit_log(functions: Functions, members: Members, database: sa.Engine) -> None:
    staff = members.staff()
    version = functions.call("publish_wheel", by=staff, body={"segments": [LOSS]}).json["version"]
    with database.connect() as connection:
        entry = connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).one()
    assert (entry.action, entry.subject_id, entry.before) == ("publish_wheel", version, None)
    assert entry.after["segments"] == [LOSS]


def test_a_caller_without_the_right_publishes_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    demoted = members.staff()
    members.change(demoted, is_admin=False)
    for caller, status in ((None, 401), (members.new(), 403), (demoted, 403)):
        assert functions.call("publish_wheel", by=caller, body={"segments": [LOSS]}).status == status
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.max(wheel_versions.c.id))) == 1


WIN = {"label": "$5", "weight": 1, "value": "5.00"}


@pytest.mark.parametrize(
    ("segments", "pointer"),
    [
        ([], "/segments"),
        ([LOSS] * 101, "/segments"),
        ([WIN], "/segments"),
        ([WIN | {"weight": 1_000_000_000}, LOSS], "/segments"),
        ([LOSS | {"weight": 0}], "/segments/0/weight"),
        ([LOSS | {"weight": -1}], "/segments/0/weight"),
        ([LOSS | {"weight": 1.0}], "/segments/0/weight"),
        ([LOSS | {"weight": True}], "/segments/0/weight"),
        ([LOSS | {"weight": "3"}], "/segments/0/weight"),
        ([LOSS | {"weight": 1_000_000_001}], "/segments/0/weight"),
        ([WIN | {"value": "-5.00"}, LOSS], "/segments/0/value"),
        ([WIN | {"value": "0.001"}, LOSS], "/segments/0/value"),
        ([WIN | {"value": 5}, LOSS], "/segments/0/value"),
        ([WIN | {"value": "100000000.00"}, LOSS], "/segments/0/value"),
        ([LOSS | {"label": ""}], "/segments/0/label"),
        ([LOSS | {"label": "\u200b"}], "/segments/0/label"),
        ([LOSS | {"label": "\u202e05$"}], "/segments/0/label"),
        ([LOSS | {"label": "a" * 121}], "/segments/0/label"),
        ([LOSS | {"odds": "1"}], "/segments/0/odds"),
        ([{"label": "No win", "weight": 3}], "/segments/0/value"),
    ],
)
def test_a_wheel_that_could_not_be_drawn_or_read_is_refused(
    functions: Functions, members: Members, database: sa.Engine, segments: list[dict[str, Any]], pointer: str
) -> None:
    answer = functions.call("publish_wheel", by=members.staff(), body={"segments": segments})
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.max(wheel_versions.c.id))) == 1


def test_the_largest_sum_of_weights_is_taken(functions: Functions, members: Members) -> None:
    segments = [WIN | {"weight": 999_999_999}, LOSS | {"weight": 1}]
    answer = functions.call("publish_wheel", by=members.staff(), body={"segments": segments})
    assert answer.status == 201
    assert [segment["odds"] for segment in answer.json["segments"]] == ["0.999999999", "0.000000001"]
