"""GET /v1/admin/feed: staff see the last readings, and the totals that have fallen."""

import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from goatedvips.models.wagers import wager_accounts
from tests.support.functions import Functions
from tests.support.members import Members
from tests.support.readings import Readings

NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_readings_of_a_day_are_listed_the_newest_first(
    readings: Readings, members: Members, functions: Functions
) -> None:
    staff = members.staff()
    readings.feed(NOW - 24 * HOUR, key="feed/too-old")
    readings.feed(NOW - 24 * HOUR + timedelta(milliseconds=1), key="feed/1")
    readings.feed(NOW - HOUR, key="feed/2", is_whole=False, problem="bad_status", entry_count=0, uid_count=0)
    readings.feed(NOW - HOUR, key="feed/3")
    readings.feed(
        NOW,
        key="feed/4",
        ingested_at=NOW + timedelta(seconds=3),
        sha256="12ab",
        is_whole=False,
        problem="uids_missing",
        entry_count=90,
        bad_count=2,
        uid_count=88,
        missing_count=30,
        total_users=90,
        last_updated=NOW - HOUR,
    )
    answer = functions.call("get_feed", by=staff, now=NOW)
    assert answer.status == 200, answer.text
    listed = answer.json["readings"]
    assert [reading["key"] for reading in listed] == ["feed/4", "feed/3", "feed/2", "feed/1"]
    assert listed[0] == {
        "key": "feed/4",
        "requested_at": "2026-12-03T12:00:00Z",
        "ingested_at": "2026-12-03T12:00:03Z",
        "is_whole": False,
        "problem": "uids_missing",
        "entry_count": 90,
        "bad_count": 2,
        "uid_count": 88,
        "missing_count": 30,
        "total_users": 90,
        "last_updated": "2026-12-03T11:00:00Z",
        "accepted_at": None,
    }
    assert (listed[1]["is_whole"], listed[1]["problem"]) == (True, None)
    assert (listed[2]["is_whole"], listed[2]["problem"]) == (False, "bad_status")


def test_totals_that_have_fallen_are_listed_the_largest_fall_first(
    readings: Readings, members: Members, functions: Functions, database: sa.Engine
) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(wager_accounts))
    small, large, none, risen = (f"uid-{secrets.token_hex(6)}" for _ in range(4))
    member = members.new(uid=large)
    readings.feed(NOW - 30 * HOUR, {small: "100.00000002", large: "500", none: "7", risen: "20"})
    readings.feed(NOW - 29 * HOUR, {risen: "10"})
    readings.feed(NOW - 28 * HOUR, {small: "100.00000001", large: "10.5", none: "7", risen: "21"})
    answer = functions.call("get_feed", by=members.staff(), now=NOW).json
    assert answer == {
        "readings": [],
        "falls": [
            {
                "uid": large,
                "user_id": member.id,
                "total": "10.50",
                "highest": "500.00",
                "read_at": "2026-12-02T08:00:00Z",
            },
            {
                "uid": small,
                "user_id": None,
                "total": "100.00000001",
                "highest": "100.00000002",
                "read_at": "2026-12-02T08:00:00Z",
            },
        ],
        "falls_total": 2,
    }


def test_before_the_first_reading_there_is_nothing(
    readings: Readings, members: Members, functions: Functions, database: sa.Engine
) -> None:
    readings.remove_all()
    with database.connect() as connection:
        connection.execute(sa.delete(wager_accounts))
    answer = functions.call("get_feed", by=members.staff(), now=NOW)
    assert (answer.status, answer.json) == (200, {"readings": [], "falls": [], "falls_total": 0})
