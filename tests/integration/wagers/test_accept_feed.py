"""POST /v1/admin/feed/acceptance: staff accept a lower total, or a reading that lacks accounts."""

import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.races.scores import scored
from goatedvips.models.operations import audit_log
from goatedvips.models.races import wager_races
from goatedvips.models.wagers import accepted_falls, feeds, wager_accounts
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import Races
from tests.support.readings import Readings

NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REASON = "The casino took a bonus back."


def accept(functions: Functions, by: Member, now: datetime = NOW, **body: object) -> Answer:
    return functions.call("accept_feed", by=by, now=now, body={"reason": REASON} | body)


def entry_of(database: sa.Engine, staff: Member) -> Any:
    with database.connect() as connection:
        return connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).one_or_none()


def account(database: sa.Engine, uid: str) -> Any:
    with database.connect() as connection:
        return connection.execute(sa.select(wager_accounts).where(wager_accounts.c.uid == uid)).one()


def scores(database: sa.Engine, *race_ids: int) -> dict[tuple[int, int], Decimal]:
    with database.connect() as connection:
        rows = connection.execute(scored(wager_races.c.id.in_(race_ids))).all()
    return {(row.race_id, row.user_id): row.score for row in rows}


def test_a_reading_that_lacks_accounts_counts_as_whole(
    readings: Readings, members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    dropped = readings.feed(NOW - HOUR, key="feed/dropped", is_whole=False, problem="uids_missing", missing_count=50)
    readings.feed(NOW - timedelta(minutes=1), is_whole=False, problem="bad_status", uid_count=0)
    answer = accept(functions, staff)
    assert (answer.status, answer.json) == (
        200,
        {
            "key": "feed/dropped",
            "requested_at": "2026-12-03T11:00:00Z",
            "uid": None,
            "from_total": None,
            "to_total": None,
            "accepted_at": "2026-12-03T12:00:00Z",
        },
    )
    with database.connect() as connection:
        row = connection.execute(sa.select(feeds).where(feeds.c.id == dropped)).one()
    assert (row.is_whole, row.accepted_at, row.accepted_by) == (True, NOW, staff.id)
    assert row.problem == "uids_missing", "it still says why it was not whole by itself"
    entry = entry_of(database, staff)
    assert (entry.action, entry.subject_id, entry.request_id) == (
        "accept_feed",
        dropped,
        answer.headers["X-Request-Id"],
    )
    assert (entry.before, entry.after) == (
        {"is_whole": False, "reason": None},
        {"is_whole": True, "reason": REASON},
    )
    again = accept(functions, staff, NOW + HOUR)
    assert (again.status, again.json) == (200, answer.json)
    assert entry_of(database, staff).id == entry.id


@pytest.mark.parametrize(
    "newest",
    [None, {}, {"is_whole": False, "problem": "pages_missing"}, {"is_whole": False, "problem": "count_differs"}],
)
def test_another_reading_than_one_that_lacks_accounts_is_not_accepted(
    readings: Readings,
    members: Members,
    functions: Functions,
    database: sa.Engine,
    newest: dict[str, Any] | None,
) -> None:
    staff = members.staff()
    if newest is not None:
        readings.feed(NOW - 2 * HOUR, is_whole=False, problem="uids_missing")
        readings.feed(NOW - HOUR, **newest)
    refused = accept(functions, staff)
    assert (refused.status, refused.json["code"]) == (409, "conflict"), refused.text
    assert entry_of(database, staff) is None
    with database.connect() as connection:
        assert not connection.scalar(sa.select(sa.func.count()).where(feeds.c.accepted_at.is_not(None)))


def test_an_accepted_fall_changes_no_score_and_wagers_count_from_it_on(
    readings: Readings, members: Members, functions: Functions, races: Races, database: sa.Engine
) -> None:
    """Races that began before the rise, before the peak, and after the fall; one is settled, one has not begun."""
    uid, other_uid, staff = f"uid-{secrets.token_hex(6)}", f"uid-{secrets.token_hex(6)}", members.staff()
    member, other = members.new(uid=uid), members.new(uid=other_uid)
    window = {"end_date": NOW + 24 * HOUR}
    started = [NOW - hours * HOUR for hours in (10, 8, 6)]
    begun = [races.new(start_date=start, **window) for start in started]
    settled = races.new(start_date=started[0], settled_at=NOW, **window)
    for hours, total in ((10, "100"), (9, "110"), (8, "120"), (7, "150.5"), (6, "90"), (5, "95"), (4, "80")):
        readings.feed(NOW - hours * HOUR, {uid: total, other_uid: total})
    bases = (Decimal(100), Decimal(120), Decimal("150.5"))
    for race_id, base in (*zip(begun, bases, strict=True), (settled, bases[0])):
        for who, whose in ((member, uid), (other, other_uid)):
            races.enter(race_id, who.id, base=base, account_id=account(database, whose).id)
    upcoming = races.new(start_date=NOW + HOUR, **window)
    races.enter(upcoming, member.id)
    before = scores(database, *begun)
    assert sorted(before.values()) == [0, 0, Decimal("30.5"), Decimal("30.5"), Decimal("50.5"), Decimal("50.5")]

    answer = accept(functions, staff, uid=uid, total="80.00")
    assert answer.status == 200, answer.text
    assert answer.json["requested_at"] == "2026-12-03T08:00:00Z"
    assert {name: answer.json[name] for name in ("uid", "from_total", "to_total", "accepted_at")} == {
        "uid": uid,
        "from_total": "150.50",
        "to_total": "80.00",
        "accepted_at": "2026-12-03T12:00:00Z",
    }
    assert scores(database, *begun) == before
    fallen = account(database, uid)
    assert (fallen.highest, fallen.total_wager) == (80, 80)
    assert account(database, other_uid).highest == Decimal("150.5")
    taken = Decimal("70.5")
    for race_id, base in zip(begun, bases, strict=True):
        now_bases = {row.user_id: row.base for row in races.participants(race_id)}
        assert now_bases == {member.id: base - taken, other.id: base}
    assert {row.base for row in races.participants(settled)} == {bases[0]}
    with database.connect() as connection:
        connection.execute(sa.text("UPDATE wager_race_participants SET base = NULL, account_id = NULL"))
    assert scores(database, *begun) == before, "what is computed anew from the readings has the same scores"

    with database.connect() as connection:
        fall = connection.execute(sa.select(accepted_falls)).one()
        assert connection.scalar(sa.select(feeds.c.requested_at).where(feeds.c.id == fall.feed_id)) == NOW - 4 * HOUR
    assert (fall.account_id, fall.from_total, fall.to_total) == (fallen.id, Decimal("150.5"), 80)
    assert (fall.accepted_at, fall.accepted_by) == (NOW, staff.id)
    entry = entry_of(database, staff)
    assert (entry.action, entry.subject_id) == ("accept_fall", fallen.id)
    assert (entry.before, entry.after) == ({"highest": 150.5, "reason": None}, {"highest": 80, "reason": REASON})

    readings.feed(NOW - HOUR, {uid: "81", other_uid: "81"})
    risen = scores(database, *begun)
    assert {key: risen[key] - before[key] for key in risen} == {key: Decimal(key[1] == member.id) for key in risen}


def test_falls_are_accepted_one_after_the_other(
    readings: Readings, members: Members, functions: Functions, races: Races, database: sa.Engine
) -> None:
    uid, staff = f"uid-{secrets.token_hex(6)}", members.staff()
    member = members.new(uid=uid)
    race_id = races.new(start_date=NOW - 10 * HOUR, end_date=NOW + HOUR)
    readings.feed(NOW - 10 * HOUR, {uid: "100"})
    races.enter(race_id, member.id, base=Decimal(100), account_id=account(database, uid).id)
    for hours, total in ((9, "130"), (8, "20")):
        readings.feed(NOW - hours * HOUR, {uid: total})
    assert accept(functions, staff, uid=uid, total="20").status == 200
    for hours, total in ((7, "25"), (6, "5")):
        readings.feed(NOW - hours * HOUR, {uid: total})
    assert scores(database, race_id) == {(race_id, member.id): 35}
    assert accept(functions, staff, uid=uid, total="5").json["from_total"] == "25.00"
    assert scores(database, race_id) == {(race_id, member.id): 35}
    (row,) = races.participants(race_id)
    assert row.base == -30, "below zero, so that the score stays"
    assert accept(functions, staff, uid=uid, total="5").status == 409


@pytest.mark.parametrize("total", ["130", "19.99999999", "20.00000001", "150"])
def test_another_total_than_that_of_the_last_reading_is_refused(
    readings: Readings, members: Members, functions: Functions, database: sa.Engine, total: str
) -> None:
    uid, staff = f"uid-{secrets.token_hex(6)}", members.staff()
    for hours, figure in ((9, "130"), (8, "20")):
        readings.feed(NOW - hours * HOUR, {uid: figure})
    refused = accept(functions, staff, uid=uid, total=total)
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert (account(database, uid).highest, entry_of(database, staff)) == (130, None)


def test_a_total_that_has_not_fallen_is_refused(
    readings: Readings, members: Members, functions: Functions, database: sa.Engine
) -> None:
    uid = f"uid-{secrets.token_hex(6)}"
    readings.feed(NOW, {uid: "130"})
    refused = accept(functions, members.staff(), uid=uid, total="130")
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert account(database, uid).highest == 130


def test_a_uid_that_the_feed_never_had_is_not_found(readings: Readings, members: Members, functions: Functions) -> None:
    readings.feed(NOW)
    assert accept(functions, members.staff(), uid="nobody's", total="1").status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"uid": "u"}, ""),
        ({"total": "1"}, ""),
        ({"uid": "u", "total": "1", "reason": " "}, "/reason"),
        ({"uid": "u", "total": "1", "reason": None}, "/reason"),
        ({"uid": "u", "total": "-1"}, "/total"),
        ({"uid": "u", "total": "1.123456789"}, "/total"),
        ({"uid": "u", "total": "NaN"}, "/total"),
        ({"uid": "u", "total": 1}, "/total"),
        ({"uid": "", "total": "1"}, "/uid"),
        ({"uid": "u\0", "total": "1"}, "/uid"),
        ({"key": "feed/1"}, "/key"),
    ],
)
def test_an_invalid_acceptance_is_refused(
    members: Members, functions: Functions, body: dict[str, Any], pointer: str
) -> None:
    refused = accept(functions, members.staff(), **body)
    assert (refused.status, [error["pointer"] for error in refused.json["errors"]]) == (422, [pointer]), refused.text
