"""The schedule writes a statement for each member and month in which they did anything."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.wagers.statements import months, writing
from goatedvips.models.accounts import users
from goatedvips.models.notifications import notifications, outbox
from goatedvips.models.rewards import rewards
from goatedvips.models.wagers import link_periods, statements
from tests.support import ledger
from tests.support.codes import Codes
from tests.support.credentials import STORED
from tests.support.erasure import erase
from tests.support.functions import Functions
from tests.support.ingesting import Figures, Ingesting
from tests.support.members import Member, Members
from tests.support.races import Races
from tests.support.rows import insert_row
from tests.support.spins import Spins

APRIL, MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (4, 5, 6, 7))
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
FILLING: dict[str, Figures] = {f"filling {n}": "0" for n in range(20)}


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    return made


@pytest.fixture
def uid() -> str:
    return secrets.token_hex(8)


class Writing:
    """Writes statements, and reads those of a member."""

    def __init__(self, database: sa.Engine, functions: Functions) -> None:
        self._database = database
        self._functions = functions

    def run(self, now: datetime) -> int:
        done = self._functions.invoke("write_statements", {}, now=now + timedelta(minutes=10))
        assert done.keys() == {"written"}
        return int(done["written"])

    def rows(self, user_id: int) -> list[Any]:
        own = sa.select(statements).where(statements.c.user_id == user_id).order_by(statements.c.month)
        with self._database.connect() as connection:
            return list(connection.execute(own))

    def wagered(self, user_id: int) -> dict[str, Any]:
        return {f"{row.month:%b}": row.wagered for row in self.rows(user_id)}


@pytest.fixture
def write(database: sa.Engine, functions: Functions, ingesting: Ingesting) -> Writing:
    return Writing(database, functions)


def link(database: sa.Engine, member: Member, uid: str | None) -> None:
    """Link a uid as a decision does; None: end the link."""
    with database.connect() as connection:
        connection.execute(sa.update(users).where(users.c.id == member.id).values(uid=uid))


def read(ingesting: Ingesting, totals: Mapping[datetime, str], uid: str) -> None:
    for at, total in totals.items():
        ingesting.ingest(at, FILLING | {uid: total})


def test_a_statement_has_what_the_member_did_in_the_month_and_nothing_of_others(
    ingesting: Ingesting, write: Writing, members: Members, races: Races, codes: Codes, database: sa.Engine, uid: str
) -> None:
    member, other = members.new(uid=uid), members.new()
    members.change(member, tier="Gold")
    read(ingesting, {MAY - DAY: "100", MAY: "150.25", JUNE - DAY: "170.12345678", JUNE: "500"}, uid)
    spins = Spins(database)
    for at in (MAY - MOMENT, MAY, JUNE - MOMENT, JUNE):
        spins.new(member.id, at)
        codes.claimed(member.id, at)
        ledger.reward(database, member.id, "10.50", at=at)
    ledger.reward(database, member.id, "-1.00", at=MAY)
    settled = [races.new(title=f"Race {at:%m-%d}", settled_at=at, end_date=at) for at in (MAY - MOMENT, MAY, MAY + DAY)]
    for race_id, rank in zip(settled, (1, 2, None), strict=True):
        races.enter(race_id, member.id, rank=rank)
        races.enter(race_id, other.id, rank=3)
    prize = {"user_id": member.id, "source_type": "race", "source_id": settled[1], "created_at": MAY}
    insert_row(database, rewards, amount=Decimal("30.50"), **prize)
    write.run(JUNE)
    april, may = write.rows(member.id)
    assert (april.month, april.wagered, april.spins, april.claims) == (APRIL, 0, 1, 1)
    assert (may.month, may.wagered, may.spins, may.claims) == (MAY, Decimal("70.12345678"), 2, 2)
    assert (may.rewards, may.tier) == (Decimal("50.50"), "Gold")
    assert may.races == [
        {"race_id": settled[1], "title": "Race 05-01", "rank": 2, "prize": "30.50"},
        {"race_id": settled[2], "title": "Race 05-02", "rank": None, "prize": "0.00"},
    ]
    (others,) = write.rows(other.id)[1:]
    assert [(race["rank"], race["prize"]) for race in others.races] == [(3, "0.00"), (3, "0.00")]
    assert (others.wagered, others.spins, others.claims, others.rewards) == (0, 0, 0, 0)


def test_a_month_without_any_activity_has_no_statement(
    ingesting: Ingesting, write: Writing, members: Members, uid: str
) -> None:
    idle, member = members.new(), members.new(uid=uid)
    read(ingesting, {APRIL + DAY: "100", APRIL + 2 * DAY: "90", JUNE - DAY: "95"}, uid)
    write.run(JUNE)
    assert write.rows(idle.id) == []
    assert write.rows(member.id) == [], "a first reading and a fall are no wagers"


def test_a_run_again_writes_nothing_and_a_missed_month_is_written_later(
    ingesting: Ingesting, write: Writing, members: Members, uid: str
) -> None:
    member = members.new(uid=uid)
    read(ingesting, {APRIL: "100", MAY - DAY: "120", MAY: "130", JUNE - DAY: "135", JUNE: "140"}, uid)
    write.run(JUNE)
    before = write.rows(member.id)
    assert write.wagered(member.id) == {"Apr": 20, "May": 15}
    assert (write.run(JUNE), write.run(JUNE + 20 * DAY)) == (0, 0)
    write.run(JULY)
    assert write.wagered(member.id) == {"Apr": 20, "May": 15, "Jun": 5}
    assert write.rows(member.id)[:2] == before


def test_a_late_reading_counts_in_the_next_month(
    ingesting: Ingesting, write: Writing, members: Members, uid: str
) -> None:
    member, other = members.new(uid=uid), members.new(uid=f"{uid}-2")
    for at, total in ((MAY, "100"), (MAY + DAY, "120")):
        ingesting.ingest(at, FILLING | {uid: total, f"{uid}-2": "50"})
    ingesting.ingest(JUNE + DAY, FILLING | {uid: "121", f"{uid}-2": "50"})
    ingesting.ingest(JUNE - DAY, FILLING | {uid: "180", f"{uid}-2": "65"}, now=JUNE + 2 * DAY)
    write.run(JUNE + 3 * DAY)
    assert (write.wagered(member.id), write.wagered(other.id)) == ({"May": 20}, {})
    ingesting.ingest(JULY, FILLING | {uid: "999", f"{uid}-2": "999"})
    write.run(JULY)
    assert (write.wagered(member.id), write.wagered(other.id)) == ({"May": 20, "Jun": 60}, {"Jun": 15})


@pytest.mark.parametrize(("total", "later"), [("90", {"Jun": 10}), ("110", {})])
def test_a_late_first_reading_counts_in_the_next_month_if_it_is_lower(
    ingesting: Ingesting, write: Writing, members: Members, uid: str, total: str, later: dict[str, int]
) -> None:
    member = members.new(uid=uid)
    read(ingesting, {MAY + DAY: "100", MAY + 2 * DAY: "120"}, uid)
    write.run(JUNE)
    ingesting.ingest(MAY, FILLING | {uid: total}, now=JUNE + DAY)
    write.run(JULY)
    assert write.wagered(member.id) == {"May": 20} | later


def test_a_link_counts_from_its_beginning_to_its_end_and_two_links_of_a_month_both_count(
    ingesting: Ingesting, write: Writing, members: Members, database: sa.Engine, uid: str
) -> None:
    first, second = members.new(), members.new()
    one, two = uid, f"{uid}-2"

    def reading(at: datetime, of_one: str, of_two: str) -> None:
        ingesting.ingest(at, FILLING | {one: of_one, two: of_two})

    reading(MAY, "1000", "10")
    link(database, first, one)
    reading(MAY + DAY, "1005", "20")
    link(database, first, two)
    link(database, second, one)
    reading(MAY + 2 * DAY, "1050", "21")
    link(database, second, None)
    reading(MAY + 3 * DAY, "1999", "22.5")
    reading(JUNE + DAY, "2000", "23")
    link(database, first, None)
    reading(JUNE + 2 * DAY, "3000", "99")
    link(database, first, two)
    reading(JUNE + 3 * DAY, "4000", "100")
    write.run(JUNE + 4 * DAY)
    assert write.wagered(first.id) == {"May": Decimal("7.5")}
    assert write.wagered(second.id) == {"May": 45}
    write.run(JULY)
    assert write.wagered(first.id) == {"May": Decimal("7.5"), "Jun": Decimal("1.5")}
    assert write.wagered(second.id) == {"May": 45}


def test_a_link_without_a_reading_counts_from_the_first_reading(
    ingesting: Ingesting, write: Writing, members: Members, database: sa.Engine, uid: str
) -> None:
    member = members.new(uid=uid)
    ingesting.ingest(MAY, FILLING)
    read(ingesting, {MAY + DAY: "500", MAY + 2 * DAY: "510"}, uid)
    write.run(JUNE)
    assert write.wagered(member.id) == {"May": 10}
    with database.connect() as connection:
        periods = sa.select(link_periods.c.opening, link_periods.c.closing).where(link_periods.c.user_id == member.id)
        assert connection.execute(periods).all() == [(None, 510)]


@pytest.mark.parametrize("is_counted", [False, True])
def test_an_accepted_fall_takes_nothing_from_a_statement(
    ingesting: Ingesting, write: Writing, members: Members, functions: Functions, uid: str, *, is_counted: bool
) -> None:
    member, staff = members.new(uid=uid), members.staff()
    read(ingesting, {MAY: "100", MAY + DAY: "150", MAY + 2 * DAY: "30"}, uid)
    if is_counted:
        write.run(JUNE)
        assert write.wagered(member.id) == {"May": 50}
    body = {"uid": uid, "total": "30", "reason": "They booked it twice."}
    assert functions.call("accept_feed", by=staff, body=body, now=JUNE + DAY).status == 200
    read(ingesting, {JUNE + 2 * DAY: "37"}, uid)
    write.run(JULY)
    assert write.wagered(member.id) == {"May": 50, "Jun": 7}


def test_a_fall_that_nobody_accepts_counts_again_once_it_is_passed(
    ingesting: Ingesting, write: Writing, members: Members, uid: str
) -> None:
    member = members.new(uid=uid)
    read(ingesting, {MAY: "100", MAY + DAY: "150", JUNE: "30", JUNE + DAY: "149", JULY: "160"}, uid)
    write.run(JULY)
    assert write.wagered(member.id) == {"May": 50}
    write.run(JULY + 31 * DAY)
    assert write.wagered(member.id) == {"May": 50, "Jul": 10}


def test_excluded_and_suspended_members_get_statements_and_shells_and_erased_ones_do_not(
    ingesting: Ingesting, write: Writing, members: Members, functions: Functions, database: sa.Engine, uid: str
) -> None:
    spins = Spins(database)
    excluded, suspended = members.new(excluded_permanently=True), members.new(suspended_at=MAY)
    erased, shell = members.new(password=STORED), members.shell(uid)
    for member in (excluded, suspended, erased, shell):
        spins.new(member.id, MAY)
    write.run(JUNE)
    assert [len(write.rows(member.id)) for member in (excluded, suspended, erased, shell)] == [1, 1, 1, 0]
    assert erase(functions, erased).status == 204
    assert write.rows(erased.id) == []
    ledger.reward(database, erased.id, "1.00", at=JUNE)
    write.run(JULY)
    assert write.rows(erased.id) == []


def test_what_an_erasure_takes_along_leaves_the_statement_of_the_uid_s_former_member(
    ingesting: Ingesting, write: Writing, members: Members, functions: Functions, database: sa.Engine, uid: str
) -> None:
    former, heir = members.new(uid=uid), members.new(password=STORED)
    read(ingesting, {MAY: "100", MAY + DAY: "140"}, uid)
    link(database, former, None)
    link(database, heir, uid)
    read(ingesting, {MAY + 2 * DAY: "900"}, uid)
    assert erase(functions, heir).status == 204
    write.run(JUNE)
    assert write.wagered(former.id) == {"May": 40}


def test_each_statement_is_notified_once(write: Writing, members: Members, database: sa.Engine) -> None:
    member = members.new()
    Spins(database).new(member.id, MAY)
    write.run(JUNE)
    write.run(JUNE)
    (row,) = write.rows(member.id)
    with database.connect() as connection:
        for table in (outbox, notifications):
            of_member = table.c.user_id == member.id, table.c.kind == "statement_written"
            assert connection.execute(sa.select(table.c.payload).where(*of_member)).scalars().all() == [
                {"statement_id": row.id, "month": "2026-05-01"}
            ]


def test_batches_follow_one_another_and_a_run_without_time_fails_and_goes_on_later(
    write: Writing, members: Members, functions: Functions, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    write.run(JUNE)
    people = [members.new(seeds=False) for _ in range(5)]
    for member in people:
        ledger.reward(database, member.id, "1.00", at=MAY)
    with pytest.raises(TimeoutError, match="2026-05 are missing after member 0"):
        functions.invoke("write_statements", {}, now=JUNE, seconds=5)
    with database.connect() as connection:
        bounds = months.find_bounds(connection, months.Month(MAY))
        done = writing.write_batch(connection, bounds, people[0].id, now=JUNE)
    assert (done.written, done.next_after) == (4, None)
    assert write.run(JUNE) == 1
    assert [len(write.rows(member.id)) for member in people] == [1] * 5
