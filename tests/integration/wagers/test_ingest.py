"""What a feed changes: figures of members and accounts, readings, and what is known about absent accounts."""

import os
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.races.boundaries import boundary_feed
from goatedvips.domain.wagers import ingest as domain
from goatedvips.domain.wagers.feed import FeedProblem
from goatedvips.models.accounts import users
from goatedvips.models.wagers import feed_entries, feeds
from tests.support import stack
from tests.support.ingesting import Ingesting, key_of
from tests.support.members import Member, Members
from tests.support.plans import fill, rows_read

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP = timedelta(minutes=10)
FIGURES = ("total_wager", "wager_today", "wager_week", "wager_month")


@pytest.fixture
def ingesting(database: sa.Engine) -> Ingesting:
    made = Ingesting(database)
    made.remove_all()
    return made


@pytest.fixture
def uid() -> str:
    return secrets.token_hex(8)


def figures(row: object) -> tuple[Any, ...]:
    return tuple(getattr(row, figure) for figure in FIGURES)


def figures_of(database: sa.Engine, member: Member) -> tuple[Any, ...]:
    with database.connect() as connection:
        return figures(connection.execute(sa.select(users).where(users.c.id == member.id)).one())


def test_it_writes_the_four_figures_of_members_and_accounts(
    ingesting: Ingesting, database: sa.Engine, members: Members, uid: str
) -> None:
    member = members.new(seeds=False, uid=uid)
    report = ingesting.ingest(NOON, {uid: ("100.123456785", "1.5", "20", "7"), "other": "3"})
    wanted = tuple(map(Decimal, ("100.12345678", "1.5", "20", "7")))
    assert (report.is_new, report.is_whole, report.readings, report.entries) == (True, True, 2, 2)
    assert figures_of(database, member) == wanted
    account = ingesting.account(uid)
    assert (figures(account), account.user_id, account.name) == (wanted, member.id, f"name of {uid}")
    assert (account.highest, account.first_total, account.first_week, account.first_month) == (
        wanted[0],
        wanted[0],
        wanted[2],
        wanted[3],
    )
    assert account.first_seen_at == account.first_read_at == account.read_at == NOON
    assert ingesting.account("other").user_id is None
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(feed_entries)) == 0


def test_texts_keep_every_character(ingesting: Ingesting, uid: str) -> None:
    odd = f"{uid}\\N\ttab\nline\rreturn 🎲"
    ingesting.ingest(NOON, {odd: "1", uid: "2"}, bad=[f"{uid}\\bad"])
    assert ingesting.account(odd).name == f"name of {odd}"
    assert ingesting.account(f"{uid}\\bad") is not None


def test_a_key_is_ingested_once(ingesting: Ingesting, uid: str) -> None:
    ingesting.ingest(NOON, {uid: "5"})
    again = ingesting.ingest(NOON, {uid: "9"}, now=NOON + STEP)
    assert again.is_new is False
    assert ingesting.account(uid).total_wager == 5
    assert ingesting.feed(NOON).ingested_at == NOON
    assert ingesting.ingest(NOON + STEP, {uid: "5"}).readings == 0, "nothing was left in feed_entries"


def test_a_reading_is_stored_only_when_the_total_changed(ingesting: Ingesting, uid: str) -> None:
    for step, given in enumerate((("5", "0", "0", "0"), ("5", "1", "1", "1"), ("6", "1", "1", "1"), ("6",) * 4)):
        ingesting.ingest(NOON + step * STEP, {uid: given})
    assert ingesting.readings(uid) == [(NOON, 5), (NOON + 2 * STEP, 6)]
    assert figures(ingesting.account(uid)) == (6, 6, 6, 6)


def test_a_fall_is_stored_and_the_highest_total_stays(
    ingesting: Ingesting, database: sa.Engine, members: Members, uid: str
) -> None:
    member = members.new(seeds=False, uid=uid)
    ingesting.ingest(NOON, {uid: "50"})
    ingesting.ingest(NOON + STEP, {uid: "20"})
    assert figures_of(database, member)[0] == 20
    assert (ingesting.account(uid).total_wager, ingesting.account(uid).highest) == (20, 50)
    assert ingesting.readings(uid) == [(NOON, 50), (NOON + STEP, 20)]


def test_a_late_feed_changes_no_newer_figure(
    ingesting: Ingesting, database: sa.Engine, members: Members, uid: str
) -> None:
    member = members.new(seeds=False, uid=uid)
    ingesting.ingest(NOON, {uid: ("10", "1", "1", "1")})
    ingesting.ingest(NOON + 2 * STEP, {uid: ("10", "1", "1", "1")})
    report = ingesting.ingest(NOON + STEP, {uid: ("30", "2", "2", "2")})
    assert (report.is_late, report.readings) == (True, 1)
    assert figures_of(database, member) == figures(ingesting.account(uid)) == (10, 1, 1, 1)
    assert ingesting.account(uid).highest == 30
    assert ingesting.readings(uid) == [(NOON, 10), (NOON + STEP, 30)]
    assert ingesting.ingest(NOON + STEP, {uid: "30"}, tag="00000001").readings == 0


def test_a_late_feed_from_before_all_others_has_the_first_reading(ingesting: Ingesting, uid: str) -> None:
    ingesting.ingest(NOON + STEP, {uid: ("10", "5", "6", "7")})
    ingesting.ingest(NOON, {uid: ("9", "1", "2", "3")})
    account = ingesting.account(uid)
    assert (account.first_read_at, account.first_seen_at) == (NOON, NOON)
    assert (account.first_total, account.first_week, account.first_month) == (9, 2, 3)
    assert (account.total_wager, account.read_at) == (10, NOON + STEP)


def test_a_late_feed_has_the_newest_figures_of_accounts_that_newer_feeds_lack(
    ingesting: Ingesting, database: sa.Engine, members: Members, uid: str
) -> None:
    member = members.new(seeds=False, uid=uid)
    others = {f"other {n}": "1" for n in range(9)}
    ingesting.ingest(NOON, {uid: ("10", "1", "1", "1"), **others})
    ingesting.ingest(NOON + 3 * STEP, others)
    ingesting.ingest(NOON + 2 * STEP, {uid: ("12", "3", "3", "3"), "late": ("7", "7", "7", "7"), **others})
    assert figures_of(database, member) == figures(ingesting.account(uid)) == (12, 0, 0, 0)
    assert figures(ingesting.account("late")) == (7, 0, 0, 0), "the newer whole feed lacks it"
    ingesting.ingest(NOON + STEP, {uid: ("11", "2", "2", "2"), **others})
    assert figures_of(database, member)[0] == ingesting.account(uid).total_wager == 12
    assert [total for _, total in ingesting.readings(uid)] == [10, 11, 12]


def test_a_late_feed_has_the_newest_figures_although_another_late_one_lacks_the_account(
    ingesting: Ingesting, uid: str
) -> None:
    others = {f"other {n}": "1" for n in range(9)}
    ingesting.ingest(NOON, {uid: "10", **others})
    ingesting.ingest(NOON + 3 * STEP, others)
    ingesting.ingest(NOON + 2 * STEP, others, totalUsers=10)
    ingesting.ingest(NOON + STEP, {uid: "12", **others})
    account = ingesting.account(uid)
    assert (account.total_wager, account.highest, account.absent_since) == (12, 12, NOON + 2 * STEP)


def test_only_a_whole_feed_clears_the_period_figures_of_absent_accounts(
    ingesting: Ingesting, database: sa.Engine, members: Members, uid: str
) -> None:
    member = members.new(seeds=False, uid=uid)
    never_read = members.new(seeds=False, uid=f"{uid} never", total_wager=Decimal(9), wager_week=Decimal(9))
    others = {f"other {n}": "1" for n in range(9)}
    ingesting.ingest(NOON, {uid: ("10", "1", "2", "3"), **others})
    short = ingesting.ingest(NOON + STEP, others, totalUsers=10)
    assert (short.is_whole, short.problem, short.missing) == (False, FeedProblem.COUNT_DIFFERS, 1)
    assert figures_of(database, member) == figures(ingesting.account(uid)) == (10, 1, 2, 3)
    whole = ingesting.ingest(NOON + 2 * STEP, others)
    assert (whole.is_whole, whole.missing) == (True, 1)
    assert figures_of(database, member) == figures(ingesting.account(uid)) == (10, 0, 0, 0)
    assert figures_of(database, never_read) == (9, 0, 0, 0)
    ingesting.ingest(NOON + 3 * STEP, {uid: ("11", "1", "1", "1"), **others})
    assert figures_of(database, member) == (11, 1, 1, 1)


@pytest.mark.parametrize(("kept", "is_whole"), [(8, True), (7, False)])
def test_a_whole_feed_has_four_fifths_of_the_uids_of_the_last_one(
    ingesting: Ingesting, kept: int, *, is_whole: bool
) -> None:
    everybody = {f"uid {n}": "1" for n in range(10)}
    ingesting.ingest(NOON, everybody)
    some = dict([*everybody.items()][:kept])
    report = ingesting.ingest(NOON + STEP, some | {f"new {n}": "1" for n in range(10)})
    assert (report.is_whole, report.missing) == (is_whole, 10 - kept)
    assert ingesting.feed(NOON + STEP).problem == (None if is_whole else "uids_missing")
    again = ingesting.ingest(NOON + 2 * STEP, some)
    assert again.is_whole is False, "the last whole feed has either 10 of them, or 18"


def test_a_bad_entry_with_a_readable_uid_is_present(ingesting: Ingesting, uid: str) -> None:
    ingesting.ingest(NOON, {uid: ("10", "1", "1", "1"), "other": "1"})
    report = ingesting.ingest(NOON + STEP, {"other": "1"}, bad=[uid, "never"])
    assert (report.problem, report.bad) == (FeedProblem.MOSTLY_BAD, 2)
    report = ingesting.ingest(NOON + 2 * STEP, {"other": "1", "more": "1"}, bad=[uid, "never"])
    assert (report.is_whole, report.missing, report.bad) == (True, 0, 2)
    assert figures(ingesting.account(uid)) == (10, 1, 1, 1)
    never = ingesting.account("never")
    assert (never.first_seen_at, never.first_read_at, never.highest) == (NOON + 2 * STEP, None, None)
    ingesting.ingest(NOON + 3 * STEP, {"other": "1", "more": "1", uid: "10", "never": "4"})
    never = ingesting.account("never")
    assert (never.first_seen_at, never.first_read_at, never.highest) == (NOON + 2 * STEP, NOON + 3 * STEP, 4)


@pytest.mark.parametrize("text", ["<html>", '{"success": false}', "[]", '{"data": 7}'])
def test_what_is_no_feed_changes_nothing_but_is_noted(ingesting: Ingesting, uid: str, text: str) -> None:
    ingesting.ingest(NOON, {uid: ("10", "1", "1", "1")})
    report = ingesting.ingest_body(NOON + STEP, text)
    assert (report.is_new, report.is_whole, report.readings) == (True, False, 0)
    assert report.problem is not None
    assert report.problem.is_no_feed
    row = ingesting.feed(NOON + STEP)
    assert (row.problem, row.uid_count, row.is_whole) == (report.problem, 0, False)
    assert figures(ingesting.account(uid)) == (10, 1, 1, 1)
    assert ingesting.ingest_body(NOON + STEP, text).is_new is False


def test_adopted_totals_are_replaced_by_the_first_reading(ingesting: Ingesting, members: Members, uid: str) -> None:
    member = members.new(seeds=False, uid=uid)
    members.change(member, total_wager=Decimal("NaN"))
    ingesting.ingest(NOON, {uid: "0"})
    assert ingesting.readings(uid) == [(NOON, 0)]
    assert figures_of(ingesting.database, member) == (0, 0, 0, 0)


def test_shells_keep_what_the_legacy_application_wrote(ingesting: Ingesting, members: Members, uid: str) -> None:
    shell = members.shell(uid)
    ingesting.ingest(NOON, {uid: "8"})
    assert (ingesting.account(uid).user_id, ingesting.account(uid).total_wager) == (None, 8)
    assert figures_of(ingesting.database, shell)[0] == 0


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_the_feeds_around_an_instant_are_found_by_an_index(
    ingesting: Ingesting, servers: stack.Stack, database: sa.Engine, count: int
) -> None:
    ingesting.remove_all()
    fill(
        database,
        "INSERT INTO feeds (key, requested_at, ingested_at, sha256, is_whole, entry_count, bad_count, uid_count,"
        " missing_count) SELECT n::text, '2026-01-01'::timestamp + n * interval '1 minute', '2026-01-01', '', true, 1,"
        f" 0, 1, 0 FROM generate_series(1, {count}) AS n",
    )
    url = servers.direct(os.environ["TEST_DATABASE"], "jobs")
    middle = datetime(2026, 1, 1, tzinfo=UTC) + count // 2 * timedelta(minutes=1)
    given = {"at": middle, "key": key_of(middle)}
    last_whole = sa.select(sa.func.count()).select_from(sa.select(domain._last_whole_at.label("at")).subquery())
    boundary = sa.select(boundary_feed(sa.literal(middle, feeds.c.requested_at.type)))
    assert rows_read(url, last_whole, given)["feeds"] <= 2
    assert rows_read(url, boundary, {})["feeds"] <= 2
