"""PATCH /v1/me/notification-preferences: switches, consent and quiet hours."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.notifications import notification_preferences, notifications
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.rows import insert_row

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
DEFAULTS: dict[str, Any] = {
    "wager_race_updates": True,
    "vip_status_changes": True,
    "promotional_offers": False,
    "monthly_statements": True,
    "email_notifications": True,
    "push_notifications": True,
    "promotional_consented_at": None,
    "quiet_from": None,
    "quiet_to": None,
    "time_zone": None,
    "push_public_key": None,
}
SWITCHES = [name for name, value in DEFAULTS.items() if isinstance(value, bool)]
QUIET: dict[str, Any] = {"quiet_from": "22:00", "quiet_to": "07:30", "time_zone": "Europe/Berlin"}


def patch(functions: Functions, by: Member | None, *, now: datetime = NOON, **body: Any) -> Answer:
    return functions.call("update_preferences", by=by, body=body, now=now)


def get(functions: Functions, by: Member) -> dict[str, Any]:
    answer = functions.call("get_preferences", by=by, now=NOON)
    assert answer.status == 200
    return dict(answer.json)


def rows(database: sa.Engine, member: Member) -> list[sa.Row[Any]]:
    own = notification_preferences.c.user_id == member.id
    with database.connect() as connection:
        return list(connection.execute(sa.select(notification_preferences).where(own)))


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_is_changed_alone(functions: Functions, members: Members, database: sa.Engine, switch: str) -> None:
    member, other = members.new(), members.new()
    for value in (False, True, False):
        change: dict[str, Any] = {switch: value}
        answer = patch(functions, member, **change)
        consented_at = {"promotional_consented_at": "2026-05-01T12:00:00Z" if value else None}
        expected = DEFAULTS | {switch: value} | (consented_at if switch == "promotional_offers" else {})
        assert (answer.status, answer.json) == (200, expected)
        assert get(functions, member) == expected
    (row,) = rows(database, member)
    assert row.updated_at == NOON
    assert get(functions, other) == DEFAULTS


def test_every_row_writes_a_consent_or_none(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    patch(functions, member, wager_race_updates=False)
    (row,) = rows(database, member)
    assert (row.promotional_offers, row.promotional_consented_at) == (False, None)
    patch(functions, member, promotional_offers=True)
    patch(functions, member, promotional_offers=True, now=LATER)  # the first consent counts
    (row,) = rows(database, member)
    assert (row.promotional_offers, row.promotional_consented_at, row.updated_at) == (True, NOON, LATER)
    patch(functions, member, promotional_offers=False, now=LATER)
    patch(functions, member, promotional_offers=True, now=LATER)
    (row,) = rows(database, member)
    assert (row.promotional_offers, row.promotional_consented_at) == (True, LATER)


def test_quiet_hours_are_set_and_ended(functions: Functions, members: Members, database: sa.Engine) -> None:
    member = members.new()
    assert patch(functions, member, **QUIET).json == DEFAULTS | QUIET
    (row,) = rows(database, member)
    assert (row.quiet_from, row.quiet_to, row.time_zone) == (time(22), time(7, 30), "Europe/Berlin")
    assert patch(functions, member, push_notifications=False).json == DEFAULTS | QUIET | {"push_notifications": False}
    assert patch(functions, member, quiet_from=None).json == DEFAULTS | {"push_notifications": False}
    (row,) = rows(database, member)
    assert (row.quiet_from, row.quiet_to, row.time_zone) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"telegram": True}, "/telegram"),
        ({"push_notifications": "yes"}, "/push_notifications"),
        ({"push_notifications": 1}, "/push_notifications"),
        (QUIET | {"time_zone": "Europe/Goatville"}, "/time_zone"),
        (QUIET | {"time_zone": "Factory"}, "/time_zone"),
        (QUIET | {"time_zone": "../UTC"}, "/time_zone"),
        (QUIET | {"time_zone": "UTC\u0000"}, "/time_zone"),
        (QUIET | {"quiet_from": "24:00"}, "/quiet_from"),
        (QUIET | {"quiet_from": "22:00:00"}, "/quiet_from"),
        (QUIET | {"quiet_from": "\u0662\u0662:\u0660\u0660"}, "/quiet_from"),
        (QUIET | {"quiet_from": "22:00\n"}, "/quiet_from"),
        (QUIET | {"quiet_from": 22}, "/quiet_from"),
        (QUIET | {"quiet_to": "22:00"}, ""),
        ({"quiet_from": "22:00", "quiet_to": "07:30"}, ""),
        (QUIET | {"quiet_to": None}, ""),
        ({"time_zone": "Europe/Berlin"}, ""),
        ({"quiet_from": "00:00", "quiet_to": None}, ""),
    ],
    ids=str,
)
def test_bad_changes_are_refused(
    functions: Functions, members: Members, database: sa.Engine, body: dict[str, Any], pointer: str
) -> None:
    member = members.new()
    answer = patch(functions, member, **body)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert rows(database, member) == []


def test_nobody_and_who_is_logged_out_change_nothing(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    assert patch(functions, None, push_notifications=False).status == 401
    member, suspended = members.new(), members.new(suspended_at=NOON)
    functions.call("log_out", by=member)
    for by, code in ((member, "unauthenticated"), (suspended, "account_suspended")):
        answer = patch(functions, by, push_notifications=False)
        assert answer.json["code"] == code
        assert rows(database, by) == []


def test_a_switch_that_is_turned_off_takes_what_is_not_due_yet_with_it(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, other = members.new(), members.new()
    notice = {"payload": {}, "created_at": NOON}
    kept = [
        insert_row(database, notifications, user_id=user_id, kind=kind, due_at=due_at, **notice)
        for user_id, kind, due_at in (
            (member.id, "campaign", NOON),  # it is in the inbox already
            (member.id, "race_started", LATER),
            (member.id, "link_decided", LATER),
            (other.id, "campaign", LATER),
        )
    ]
    for kind in ("campaign", "code_issued", "code_expiring"):
        insert_row(database, notifications, user_id=member.id, kind=kind, due_at=LATER, **notice)
    patch(functions, member, email_notifications=False, promotional_offers=False)
    of_both = notifications.c.user_id.in_([member.id, other.id])
    with database.connect() as connection:
        left = connection.scalars(sa.select(notifications.c.id).where(of_both).order_by(notifications.c.id)).all()
    assert list(left) == kept
