"""POST /v1/admin/races/{id}/settlement: staff settle a race, or see what a settlement would give."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from goatedvips.models.races import race_boundaries
from goatedvips.models.wagers import feeds
from tests.support.arena import MINUTE, SETTLED_AT, Arena
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members
from tests.support.races import END, START, Races

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
PLAIN: dict[str, Any] = {}
DRY: dict[str, Any] = {"dry_run": True}
FORCED: dict[str, Any] = {"force": True}
PAID: dict[str, Any] = {"already_paid": True}


@pytest.fixture
def staff(members: Members) -> Member:
    return members.staff()


def settle(functions: Functions, race_id: object, by: Member, now: datetime = SETTLED_AT, **body: Any) -> Answer:
    path = f"/v1/admin/races/{race_id}/settlement"
    return functions.call("settle_race", by=by, now=now, path=path, body=body)


def entries(arena: Arena, race_id: int) -> list[Any]:
    of_race = audit_log.c.action == "settle_race", audit_log.c.subject_id == race_id
    with arena.database.connect() as connection:
        return list(connection.execute(sa.select(audit_log).where(*of_race)))


def assert_refused(answer: Answer, code: str, status: int = 409) -> None:
    assert (answer.status, answer.json["code"]) == (status, code)


def test_a_race_of_the_legacy_application_is_settled_and_again_gives_the_same_report(
    arena: Arena, functions: Functions, staff: Member
) -> None:
    race_id, players = arena.ended("50", "60", "1", is_legacy=True)
    first = settle(functions, race_id, staff)
    assert (first.status, first.json) == (
        200,
        {
            "race_id": race_id,
            "settled_at": "2026-06-08T00:30:00Z",
            "participants": 3,
            "ranked": 2,
            "standings": [
                {"user_id": players[1].id, "rank": 1, "score": "60.00", "prize": "50.01", "new": None},
                {"user_id": players[0].id, "rank": 2, "score": "50.00", "prize": "30.00", "new": None},
                {"user_id": players[2].id, "rank": None, "score": "1.00", "prize": "0.00", "new": None},
            ],
            "paid": "80.01",
            "unallocated": "20.00",
            "disqualified": [],
            "falls": [],
        },
    )
    rewards = arena.rewards(race_id)
    assert rewards == {players[1].id: Decimal("50.01"), players[0].id: Decimal("30.00")}
    for how in (PLAIN, DRY, FORCED, PAID):
        again = settle(functions, race_id, staff, END + 3 * DAY, **how)
        assert (again.status, again.json) == (200, first.json)
    assert arena.rewards(race_id) == rewards
    (entry,) = entries(arena, race_id)
    assert (entry.staff_id, entry.before, entry.created_at) == (staff.id, None, SETTLED_AT)
    assert (entry.after["force"], entry.after["already_paid"]) == (False, False)


def test_a_repeated_request_with_a_key_gets_the_first_answer(arena: Arena, functions: Functions, staff: Member) -> None:
    race_id, _ = arena.ended("50")
    how: dict[str, Any] = {
        "by": staff,
        "now": SETTLED_AT,
        "path": f"/v1/admin/races/{race_id}/settlement",
        "headers": {"idempotency-key": "settle"},
        "body": {},
    }
    first, again = functions.call("settle_race", **how), functions.call("settle_race", **how)
    assert (again.status, again.text) == (200, first.text)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(entries(arena, race_id)) == 1


def test_a_dry_run_writes_nothing_and_shows_what_the_settlement_then_gives(
    arena: Arena, functions: Functions, members: Members, staff: Member
) -> None:
    race_id, players = arena.ended("50", "60", "70")
    out = members.new(seeds=False)
    arena.races.enter(race_id, out.id, disqualified_at=END)
    before = arena.races.row(race_id), arena.races.participants(race_id)
    dry = settle(functions, race_id, staff, SETTLED_AT - SECOND, dry_run=True)
    assert dry.status == 200
    assert (arena.races.row(race_id), arena.races.participants(race_id)) == before
    assert (arena.archived(race_id), arena.rewards(race_id), entries(arena, race_id)) == (None, {}, [])
    assert (dry.json["settled_at"], dry.json["disqualified"]) == (None, [out.id])
    assert [(one["user_id"], one["rank"], one["prize"], one["new"]) for one in dry.json["standings"]] == [
        (players[2].id, 1, "50.01", False),
        (players[1].id, 2, "30.00", False),
        (players[0].id, 3, "20.00", False),
        (out.id, None, "0.00", False),
    ]
    real = settle(functions, race_id, staff).json
    assert real == dry.json | {
        "settled_at": real["settled_at"],
        "standings": [one | {"new": None} for one in dry.json["standings"]],
    }


def test_a_dry_run_during_the_race_shows_newcomers_and_falls(arena: Arena, functions: Functions, staff: Member) -> None:
    race_id = arena.race()
    new, fallen = arena.enter(race_id, 2)
    arena.feeds((START, {fallen: "100"}), (START + DAY, {new: ("50", "20", "30"), fallen: "130.009"}))
    arena.feeds((START + 2 * DAY, {fallen: "20.00000001"}))
    answer = settle(functions, race_id, staff, START + 2 * DAY, dry_run=True)
    ids = {row.uid: row.user_id for row in arena.accounts()}
    assert [(one["user_id"], one["score"], one["new"]) for one in answer.json["standings"]] == [
        (ids[new], "30.00", True),
        (ids[fallen], "30.00", False),
    ], "a tie; who joined first stands first"
    assert answer.json["falls"] == [{"user_id": ids[fallen], "highest": "130.009", "total": "20.00000001"}]


def test_it_is_refused_before_its_time_and_nothing_is_written(
    arena: Arena, functions: Functions, staff: Member
) -> None:
    race_id, _ = arena.ended("50")
    before = arena.races.row(race_id), arena.races.participants(race_id)
    for now in (START, END - SECOND, SETTLED_AT - SECOND):
        for how in (PLAIN, FORCED):
            assert_refused(settle(functions, race_id, staff, now, **how), "not_settleable")
    assert_refused(settle(functions, race_id, staff, START - SECOND, dry_run=True), "not_settleable")
    assert (arena.races.row(race_id), arena.races.participants(race_id)) == before
    assert (arena.archived(race_id), entries(arena, race_id)) == (None, [])
    with arena.database.connect() as connection:
        assert connection.execute(sa.select(race_boundaries)).all() == []


def test_a_cancelled_race_and_unreadable_prizes_are_refused(arena: Arena, functions: Functions, staff: Member) -> None:
    cancelled, _ = arena.ended("50", cancelled_at=END)
    for how in (PLAIN, DRY):
        assert_refused(settle(functions, cancelled, staff, **how), "not_settleable")
    bad: tuple[dict[str, Any], ...] = (
        {"prize_distribution": {"1": 50, "3": 20}},
        {"prize_distribution": {"1": 60, "2": 50}},
        {"prize_distribution": {"1": "50"}},
        {"prize_distribution": []},
        {"prize_pool": Decimal(100_000_000)},
    )
    for columns in bad:
        race_id, _ = arena.ended("50", is_legacy=True, **columns)
        for how in (PLAIN, DRY):
            assert_refused(settle(functions, race_id, staff, **how), "not_settleable")
        assert arena.races.row(race_id).settled_at is None


def test_without_a_feed_of_the_end_staff_force_it_with_the_last_feed_after_24_hours(
    arena: Arena, functions: Functions, staff: Member
) -> None:
    race_id, next_id = arena.race(), arena.race(start_date=END, end_date=END + 7 * DAY)
    ((uid, player),) = arena.enter(race_id, 1).items()
    arena.races.enter(next_id, player.id)
    arena.feeds((START, {uid: "0"}), (END - DAY, {uid: "30"}))
    last = arena.readings.feed(END + MINUTE, {uid: "40"}, is_whole=False)
    arena.readings.feed(END + 2 * MINUTE, uid_count=0, is_whole=False)
    assert_refused(settle(functions, race_id, staff, END + DAY), "not_settleable")
    assert_refused(settle(functions, race_id, staff, END + DAY - SECOND, force=True), "not_settleable")
    answer = settle(functions, race_id, staff, END + DAY, force=True)
    assert (answer.status, answer.json["standings"][0]["score"]) == (200, "40.00")
    with arena.database.connect() as connection:
        fixed = connection.execute(sa.select(race_boundaries).where(race_boundaries.c.instant == END)).one()
    assert (fixed.feed_id, fixed.fixed_at) == (last, END + DAY)
    (entry,) = entries(arena, race_id)
    assert entry.after["force"] is True
    arena.feeds((END + 2 * DAY, {uid: "55"}), (END + 7 * DAY, {uid: "60"}))
    second = settle(functions, next_id, staff, END + 7 * DAY + 30 * MINUTE)
    assert second.json["standings"][0]["score"] == "20.00", "the next race begins with the forced feed"


def test_force_is_refused_if_no_feed_was_ever_read(arena: Arena, functions: Functions, staff: Member) -> None:
    assert_refused(settle(functions, arena.race(), staff, END + DAY, force=True), "not_settleable")


def test_force_changes_nothing_where_the_end_has_its_feed(arena: Arena, functions: Functions, staff: Member) -> None:
    race_id, _ = arena.ended("50")
    ((uid,),) = [[row.uid for row in arena.accounts()]]
    arena.feeds((END + DAY, {uid: "9000"}))
    assert settle(functions, race_id, staff, END + 2 * DAY, force=True).json["standings"][0]["score"] == "50.00"


def test_a_race_of_the_legacy_application_that_was_paid_is_only_marked(
    arena: Arena, functions: Functions, staff: Member
) -> None:
    race_id, _ = arena.ended("50", is_legacy=True)
    before = arena.races.participants(race_id)
    answer = settle(functions, race_id, staff, already_paid=True)
    assert answer.status == 200
    assert answer.json == {
        "race_id": race_id,
        "settled_at": "2026-06-08T00:30:00Z",
        "participants": 0,
        "ranked": 0,
        "standings": [],
        "paid": None,
        "unallocated": None,
        "disqualified": [],
        "falls": [],
    }
    assert (arena.races.participants(race_id), arena.archived(race_id), arena.rewards(race_id)) == (before, None, {})
    assert settle(functions, race_id, staff).json == answer.json
    (entry,) = entries(arena, race_id)
    assert entry.after["already_paid"] is True


def test_a_race_of_the_platform_cannot_be_marked_as_paid(arena: Arena, functions: Functions, staff: Member) -> None:
    race_id, _ = arena.ended("50")
    assert_refused(settle(functions, race_id, staff, already_paid=True), "not_settleable")
    assert arena.races.row(race_id).settled_at is None


def test_what_was_wagered_before_the_adoption_counts(
    arena: Arena, functions: Functions, races: Races, staff: Member
) -> None:
    race_id = arena.race(is_legacy=True)
    ((uid, _),) = arena.enter(race_id, 1, carried_over=Decimal("12.34")).items()
    arena.feeds((START, {uid: "1"}), (END, {uid: "6"}))
    assert settle(functions, race_id, staff).json["standings"][0]["score"] == "17.34"


@pytest.mark.parametrize("race_id", [2**31 - 1, 2**31, 0, "one"])
def test_an_unknown_race_is_not_found(arena: Arena, functions: Functions, staff: Member, race_id: object) -> None:
    assert_refused(settle(functions, race_id, staff), "not_found", 404)
    assert_refused(settle(functions, race_id, staff, dry_run=True), "not_found", 404)


@pytest.mark.parametrize(
    "body",
    [
        {"dry_run": "yes"},
        {"forced": True},
        {"already_paid": True, "dry_run": True},
        {"already_paid": True, "force": True},
    ],
)
def test_a_bad_body_is_refused(arena: Arena, functions: Functions, staff: Member, body: dict[str, Any]) -> None:
    assert_refused(settle(functions, 1, staff, **body), "validation_failed", 422)


def test_only_staff_settle(arena: Arena, functions: Functions, members: Members) -> None:
    race_id, _ = arena.ended("50")
    for how in (PLAIN, DRY):
        assert_refused(settle(functions, race_id, members.new(seeds=False), **how), "forbidden", 403)
        gone = members.staff(suspended_at=START)
        assert_refused(settle(functions, race_id, gone, **how), "account_suspended", 403)
    assert arena.races.row(race_id).settled_at is None
    with arena.database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(feeds)).scalar_one() == 2
