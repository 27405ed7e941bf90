"""Tiers by lifetime wager: raised by readings of the feed, each once, with its reward, or silently."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.models.accounts import account_links, users
from goatedvips.models.notifications import notifications, outbox
from goatedvips.models.wagers import wager_accounts
from tests.support.functions import Functions
from tests.support.ingesting import Ingesting
from tests.support.members import Member, Members
from tests.support.plans import Requests
from tests.support.rows import insert_row
from tests.support.tiers import DEFAULT, Tiers

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MOST_STATEMENTS = 12  # of an ingest, with races
TOTALS = {
    "0": "Copper",
    "9999.99999999": "Copper",
    "10000": "Bronze",
    "39999.99999999": "Bronze",
    "40000": "Silver",
    "100000": "Gold",
    "450000": "Platinum",
    "1500000": "Pearl",
    "3000000": "Sapphire",
    "7000000": "Emerald",
    "19999999.99999999": "Emerald",
    "20000000": "Diamond",
    "9999999999.99999999": "Diamond",
    "-0.00000001": None,
}
REWARDED = (("Copper", "0", "1.00"), ("Bronze", "10000", "5"), ("Silver", "40000", "0.00"), ("Gold", "100000", "25.50"))


@pytest.fixture
def tiers(database: sa.Engine) -> Tiers:
    return Tiers(database)


@pytest.fixture
def ingesting(database: sa.Engine) -> Iterator[Ingesting]:
    ingesting = Ingesting(database)
    ingesting.remove_all()
    yield ingesting
    ingesting.remove_all()


@pytest.fixture
def rewarded(tiers: Tiers) -> Iterator[None]:
    """A version of the tiers with rewards."""
    with tiers.version(*REWARDED):
        yield


@dataclass
class Linked:
    """A member with a uid, and the totals of its readings."""

    member: Member
    uid: str
    ingesting: Ingesting
    at: datetime = NOON

    def read(self, total: str, *, at: datetime | None = None) -> None:
        """Ingest a total, a minute after the one before."""
        self.at += MINUTE
        self.ingesting.ingest(at or self.at, {self.uid: total}, now=self.at, tag=secrets.token_hex(4))


@pytest.fixture
def linked(members: Members, ingesting: Ingesting) -> Linked:
    """A member whose first reading was 9,000."""
    uid = f"uid-{secrets.token_hex(4)}"
    linked = Linked(members.new(seeds=False, uid=uid, verified=True), uid, ingesting)
    linked.read("9000")
    return linked


@pytest.mark.parametrize(("total", "expected"), TOTALS.items())
def test_a_new_row_has_the_tiers_of_its_total(members: Members, tiers: Tiers, total: str, expected: str | None) -> None:
    member = members.new(seeds=False, total_wager=Decimal(total), tier="Tin")
    assert tiers.present(member.id) == expected
    passed = [] if expected is None else DEFAULT[: DEFAULT.index(expected) + 1]
    assert tiers.reached(member.id) == [(name, "0.00", True) for name in passed]


def test_a_shell_has_no_tier(members: Members, tiers: Tiers, ingesting: Ingesting) -> None:
    shell = members.shell("uid-shell-tier")
    for minute, total in enumerate(("1", "50000")):
        ingesting.ingest(NOON + minute * MINUTE, {"uid-shell-tier": total})
    assert (tiers.present(shell.id), tiers.reached(shell.id)) == (None, [])


def test_a_reading_raises_the_tier_once_with_the_rewards_of_all_that_it_passes(
    linked: Linked, tiers: Tiers, rewarded: None
) -> None:
    member = linked.member
    assert tiers.reached(member.id) == [("Copper", "0.00", True)]
    linked.read("9999.99999999")
    assert tiers.present(member.id) == "Copper"
    linked.read("10000")
    assert tiers.present(member.id) == "Bronze"
    linked.read("100000")
    reached = [("Copper", "0.00", True), ("Bronze", "5.00", False), ("Silver", "0.00", False), ("Gold", "25.50", False)]
    assert tiers.reached(member.id) == reached
    for total in ("9999", "100001", "45000", "999999999"):
        linked.read(total)
        assert (tiers.present(member.id), tiers.reached(member.id)) == ("Gold", reached), "it never falls"


def test_a_late_reading_raises_it_too(linked: Linked, tiers: Tiers, rewarded: None) -> None:
    linked.read("9500")
    linked.read("10000", at=linked.at - MINUTE / 2)
    assert tiers.reached(linked.member.id)[1:] == [("Bronze", "5.00", False)]
    with linked.ingesting.database.connect() as connection:
        total = connection.scalar(sa.select(users.c.total_wager).where(users.c.id == linked.member.id))
    assert total == 9500, "the newer figures stay"


@pytest.mark.parametrize("state", [{"suspended_at": NOON}, {"excluded_until": NOON}, {"excluded_permanently": True}])
def test_who_may_not_play_reaches_tiers_silently(
    linked: Linked, members: Members, tiers: Tiers, rewarded: None, state: dict[str, Any]
) -> None:
    members.change(linked.member, **state)
    linked.read("10000")
    members.change(linked.member, suspended_at=None, excluded_until=None, excluded_permanently=False)
    linked.read("100000")
    assert tiers.reached(linked.member.id)[1:] == [
        ("Bronze", "0.00", True),
        ("Silver", "0.00", False),
        ("Gold", "25.50", False),
    ]


@pytest.mark.parametrize("bad_first", [False, True])
def test_the_first_reading_of_a_link_is_silent(
    members: Members, ingesting: Ingesting, tiers: Tiers, rewarded: None, bad_first: bool
) -> None:
    uid = f"uid-{secrets.token_hex(4)}"
    linked = Linked(members.new(seeds=False, uid=uid, verified=True), uid, ingesting)
    if bad_first:
        ingesting.ingest(NOON, {"another": "1"}, bad=[uid])
    linked.read("50000")
    linked.read("100000")
    assert tiers.reached(linked.member.id) == [
        ("Copper", "0.00", True),
        ("Bronze", "0.00", True),
        ("Silver", "0.00", True),
        ("Gold", "25.50", False),
    ]


def approve(functions: Functions, members: Members, member: Member, uid: str) -> None:
    link_id = insert_row(members.database, account_links, user_id=member.id, uid=uid, requested_at=NOON)
    path, body = f"/v1/admin/account-links/{link_id}/decision", {"decision": "approved", "reason": "Shown."}
    assert functions.call("decide_link", by=members.staff(), path=path, body=body).status == 200


@pytest.mark.parametrize("kept", ["read", "adopted", "of a shell", "none", "bad"])
def test_an_approval_records_silently_what_the_totals_have_passed_or_the_first_reading_does(
    functions: Functions, members: Members, ingesting: Ingesting, tiers: Tiers, rewarded: None, kept: str
) -> None:
    uid = f"uid-{secrets.token_hex(4)}"
    if kept == "of a shell":
        members.shell(uid)
    if kept in ("adopted", "of a shell"):
        zeros = dict.fromkeys(("wager_today", "wager_week", "wager_month"), Decimal(0))
        insert_row(tiers.database, wager_accounts, uid=uid, total_wager=Decimal(50_000), read_at=NOON, **zeros)
    if kept in ("read", "bad"):
        ingesting.ingest(NOON, {uid: "50000"} if kept == "read" else {"another": "1"}, bad=[uid] * (kept == "bad"))
    linked = Linked(members.new(seeds=False), uid, ingesting)
    approve(functions, members, linked.member, uid)
    silent = [("Copper", "0.00", True), ("Bronze", "0.00", True), ("Silver", "0.00", True)]
    has_total = kept not in ("none", "bad")
    assert tiers.present(linked.member.id) == ("Silver" if has_total else "Copper")
    assert tiers.reached(linked.member.id) == (silent if has_total else silent[:1])
    for total in ("50000", "100000"):
        linked.read(total)
    assert tiers.reached(linked.member.id) == [*silent, ("Gold", "25.50", False)]


def test_the_tier_stays_when_the_link_ends_and_comes_once_with_another_uid(
    functions: Functions, members: Members, linked: Linked, tiers: Tiers, rewarded: None
) -> None:
    linked.read("40000")
    path, body = f"/v1/admin/members/{linked.member.id}", {"uid": None, "reason": "Not theirs."}
    assert functions.call("update_member", by=members.staff(), path=path, body=body).status == 200
    reached = tiers.reached(linked.member.id)
    assert (tiers.present(linked.member.id), len(reached)) == ("Silver", 3)
    other = Linked(linked.member, f"uid-{secrets.token_hex(4)}", linked.ingesting, linked.at)
    other.read("1")
    approve(functions, members, other.member, other.uid)
    other.read("45000")
    assert (tiers.present(linked.member.id), tiers.reached(linked.member.id)) == ("Silver", reached)


def test_a_mail_and_a_row_of_the_inbox_for_each_tier(linked: Linked, rewarded: None) -> None:
    linked.read("40000")
    payloads = [{"tier": "Bronze", "reward": "5.00"}, {"tier": "Silver", "reward": "0.00"}]
    with linked.ingesting.database.connect() as connection:
        for table in (outbox, notifications):
            rows = connection.execute(sa.select(table).where(table.c.user_id == linked.member.id))
            found = sorted(((row.kind, row.payload) for row in rows), key=lambda one: str(one[1]["tier"]))
            assert found == [("tier_reached", payload) for payload in payloads]


def test_an_ingest_has_as_many_statements_however_many_tiers_are_reached(
    members: Members, ingesting: Ingesting, tiers: Tiers, rewarded: None
) -> None:
    uids = [f"uid-{secrets.token_hex(4)}" for _ in range(20)]
    reached = [members.new(seeds=False, uid=uid, verified=True) for uid in uids]
    counts = []
    for minute, total in enumerate(("9000", "9001", "10000", "100000")):
        with Requests(db.engine()) as requests:
            ingesting.ingest(NOON + minute * MINUTE, dict.fromkeys(uids, total))
        counts.append(len(requests.statements))
    assert {len(tiers.reached(member.id)) for member in reached} == {4}
    assert len(set(counts[1:])) == 1, "the first one inserts accounts, too"
    assert max(counts) <= MOST_STATEMENTS
