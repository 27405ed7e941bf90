"""Tiers are published, and links decided, while feeds are ingested: each member has each tier once."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.access import Caller
from goatedvips.domain.accounts import link_decisions
from goatedvips.domain.accounts.link_requests import Link
from goatedvips.domain.wagers import tier_versions
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import IngestReport, ingest_feed
from goatedvips.domain.wagers.tier_versions import Tier, TierVersion
from goatedvips.models.accounts import account_links, users
from goatedvips.models.notifications import outbox
from tests.concurrency.together import at_once, overlapping, run_behind
from tests.support.ingesting import Ingesting, body, key_of
from tests.support.members import Member, Members
from tests.support.tiers import Tiers

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
STEP = timedelta(minutes=10)
ZERO = Decimal(0)
BEFORE = (("Copper", "0", "0"), ("Bronze", "100", "5"))
AFTER = [Tier("Copper", ZERO, ZERO), Tier("Tin", Decimal(50), Decimal(3)), Tier("Bronze", Decimal(100), Decimal(7))]
RAISED = [("Copper", "0.00", True), ("Bronze", "5.00", False)]
TOTALS = {START + number * STEP: str(total) for number, total in enumerate((10, 60, 100, 100, 110, 90))}


@pytest.fixture
def tiers(database: sa.Engine) -> Iterator[Tiers]:
    Ingesting(database).remove_all()
    tiers = Tiers(database)
    with tiers.version(*BEFORE):
        yield tiers


def caller(member: Member) -> Caller:
    return Caller(member.id, member.session_id, "test")


def ingesting(at: datetime, uid: str, total: str) -> Callable[[sa.Connection], IngestReport]:
    feed = parse_feed([FeedPage(1, 200, body({uid: total, "another": "1"}))])
    return partial(ingest_feed, now=at, key=key_of(at), sha256="", feed=feed)


def publishing(staff: Member) -> Callable[[sa.Connection], TierVersion]:
    return partial(tier_versions.publish, caller=caller(staff), tiers=AFTER, now=datetime.now(UTC))


def linking(staff: Member, link_id: int) -> Callable[[sa.Connection], Link]:
    now = datetime.now(UTC)
    return partial(
        link_decisions.decide, caller=caller(staff), link_id=link_id, decision="approved", reason="So.", now=now
    )


def ask(database: sa.Engine, member: Member, uid: str) -> int:
    given = {"user_id": member.id, "uid": uid, "requested_at": START}
    with database.connect() as connection:
        made = connection.execute(sa.insert(account_links).values(given).returning(account_links.c.id))
        return int(made.scalar_one())


@pytest.fixture
def linked(members: Members, tiers: Tiers) -> tuple[Member, str]:
    """A member whose first reading was 10."""
    uid = secrets.token_hex(6)
    member = members.new(seeds=False, uid=uid, verified=True)
    Ingesting(tiers.database).ingest(START, {uid: "10", "another": "1"})
    return member, uid


@pytest.mark.parametrize("attempt", range(3))
def test_feeds_at_once_raise_a_tier_once(patient: str, linked: tuple[Member, str], tiers: Tiers, attempt: int) -> None:
    del attempt
    member, uid = linked
    results = at_once(patient, [ingesting(at, uid, total) for at, total in TOTALS.items() if at > START])
    assert all(isinstance(result, IngestReport) and result.is_new for result in results), results
    assert (tiers.present(member.id), tiers.reached(member.id)) == ("Bronze", RAISED)
    with tiers.database.connect() as connection:
        mail = sa.select(outbox.c.payload).where(outbox.c.user_id == member.id, outbox.c.kind == "tier_reached")
        assert connection.scalars(mail).all() == [{"tier": "Bronze", "reward": "5.00"}]


def test_publishing_waits_for_an_ingest(
    patient: str, linked: tuple[Member, str], tiers: Tiers, members: Members, database: sa.Engine
) -> None:
    member, uid = linked
    staff = members.staff()
    published = run_behind(database, patient, ingesting(START + STEP, uid, "100"), publishing(staff))
    assert isinstance(published, TierVersion), published
    assert tiers.reached(member.id) == [*RAISED, ("Tin", "0.00", True)]


def test_an_ingest_waits_for_publishing(
    patient: str, linked: tuple[Member, str], tiers: Tiers, members: Members, database: sa.Engine
) -> None:
    member, uid = linked
    ingested = run_behind(database, patient, publishing(members.staff()), ingesting(START + STEP, uid, "100"))
    assert isinstance(ingested, IngestReport), ingested
    assert tiers.reached(member.id) == [RAISED[0], ("Tin", "3.00", False), ("Bronze", "7.00", False)]


@pytest.mark.parametrize("is_first", [True, False])
def test_an_approval_and_publishing_wait_for_each_other(
    patient: str, tiers: Tiers, members: Members, database: sa.Engine, is_first: bool
) -> None:
    uid, member = secrets.token_hex(6), members.new(seeds=False)
    Ingesting(database).ingest(START, {uid: "60", "another": "1"})
    works: list[tuple[str, Any]] = [
        (patient, linking(members.staff(), ask(database, member, uid))),
        (patient, publishing(members.staff())),
    ]
    first, second = works if is_first else works[::-1]
    results = overlapping(database, first, second)
    assert {type(result) for result in results} == {Link, TierVersion}, results
    assert tiers.present(member.id) == "Tin"
    assert tiers.reached(member.id) == [("Copper", "0.00", True), ("Tin", "0.00", True)]


@pytest.mark.parametrize("total", ["60", "100"])
def test_a_link_that_is_approved_during_an_ingest_records_tiers_silently(
    patient: str, tiers: Tiers, members: Members, database: sa.Engine, total: str
) -> None:
    """The account appears while the link is decided: neither sees the other, and the next reading is the first."""
    uid, member = secrets.token_hex(6), members.new(seeds=False)
    works: list[tuple[str, Any]] = [
        (patient, ingesting(START, uid, total)),
        (patient, linking(members.staff(), ask(database, member, uid))),
    ]
    results = overlapping(database, *works)
    assert [type(result) for result in results] == [IngestReport, Link], results
    assert tiers.reached(member.id) == [("Copper", "0.00", True)]
    for number, later in enumerate((total, "100.01", "100.02"), 1):
        Ingesting(database).ingest(START + number * STEP, {uid: later, "another": "1"})
    assert tiers.reached(member.id) == [("Copper", "0.00", True), ("Bronze", "0.00", True)]


def test_an_exclusion_that_commits_during_an_ingest_makes_its_tiers_silent(
    patient: str, linked: tuple[Member, str], tiers: Tiers, database: sa.Engine
) -> None:
    member, uid = linked

    def exclude(connection: sa.Connection) -> None:
        connection.execute(sa.update(users).where(users.c.id == member.id).values(excluded_permanently=True))

    ingested = run_behind(database, patient, exclude, ingesting(START + STEP, uid, "100"))
    assert isinstance(ingested, IngestReport), ingested
    assert tiers.reached(member.id) == [RAISED[0], ("Bronze", "0.00", True)]
