"""A year of tiers and statements, from the affiliate's answers to rewards, held to a plain computation of the same.

The feed falls, comes late and twice, and fails; staff publish tiers twice; members are linked, some to the uids of
shells, excluded, suspended and erased. Whatever changes the database is run twice, and from two connections at once.
"""

import hashlib
import random
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import override

import sqlalchemy as sa

from goatedvips.domain.members.changes import Change
from goatedvips.domain.wagers import tier_versions
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import ingest_feed
from goatedvips.domain.wagers.statements import months, writing
from goatedvips.models.accounts import users
from goatedvips.models.notifications import outbox
from goatedvips.models.rewards import rewards
from goatedvips.models.wagers import member_tiers, statements, wager_accounts
from tests.simulations.happenings import Community, Player
from tests.simulations.provider import Page, Provider
from tests.simulations.reference import Reports, read_pages
from tests.simulations.runner import Runner
from tests.simulations.tiers_reference import Reached, Standings, Tier
from tests.support.ingesting import Ingesting, key_of
from tests.support.members import Members
from tests.support.rows import insert_row
from tests.support.stack import Stack
from tests.support.tiers import Tiers

DAYS = 365
START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SHELLS = 0.1  # of the members' number
LATE, REPEATED = 0.15, 0.08  # of answers
LONGEST_DELAY = 6  # requests
BIG_CHANCE, BIG_WAGER = 0.1, 20_000  # of an account between two readings; on average, in US dollars
HAPPENINGS = 3  # between two readings, and one more for every 2,000 members
ALL_AT_ONCE = 1000  # members up to whose number most runs are repeated: a look at all tables for each takes long
type _Version = tuple[tuple[str, int, str], ...]
VERSIONS: tuple[_Version, ...] = (
    (("Copper", 0, "1"), ("Bronze", 10_000, "5"), ("Silver", 40_000, "0"), ("Gold", 100_000, "50.50")),
    (
        ("Copper", 0, "0"),
        ("Tin", 5_000, "2"),
        ("Silver", 20_000, "10"),
        ("Gold", 150_000, "70"),
        ("Jade", 300_000, "9"),
    ),
    (
        ("Goat", 0, "0"),
        ("Gold", 30_000, "0"),
        ("Tin", 60_000, "3"),
        ("Bronze", 90_000, "4.04"),
        ("Ruby", 200_000, "99"),
    ),
)


def run(
    servers: Stack, name: str, *, size: int, seed: int, start: datetime = START, days: int = DAYS, feeds: int = 1
) -> str:
    """Let a year pass, and compare what members have reached with the plain computation. Return a summary.

    Parameters
    ----------
    servers: the servers, with a migrated database `name`.
    size: the number of members.
    seed: of the pseudo-random choices.
    feeds: how often the feed is asked for on each day.
    """
    url = servers.direct(name).replace("postgresql:", "postgresql+pg8000:")
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    chance = random.Random(seed)
    ways = (7, 2, 1) if size <= ALL_AT_ONCE else (38, 1, 1)
    runner = Runner(servers, name, random.Random(seed), kills=0, ways=ways)
    Ingesting(owner).remove_all()
    try:
        moments = [start + number * DAY / feeds for number in range(days * feeds)]
        year = _Year(owner, runner, chance, size, moments)
        year.pass_by()
        return year.summary()
    finally:
        runner.close()
        Ingesting(owner).remove_all()
        Tiers(owner).remove_versions()
        owner.dispose()


class _Members(Community):
    """Members, and what the plain computation says of them."""

    def __init__(
        self, owner: sa.Engine, runner: Runner, chance: random.Random, size: int, standings: Standings
    ) -> None:
        self.standings = standings
        self._adopted: dict[str, Decimal] = {}
        super().__init__(owner, runner, Reports(), chance, size)
        for uid in self._spare[: int(size * SHELLS)]:
            Members(owner).shell(uid)
            self._adopt_account(uid, None)
        for uid, total in self._adopted.items():
            standings.adopt(uid, total)
        for user_id, player in self.players.items():
            standings.add(user_id, player.person.uid)

    @override
    def _adopt(self, user_id: int, uid: str) -> None:
        self._adopt_account(uid, user_id)

    def _adopt_account(self, uid: str, user_id: int | None) -> None:
        figures: dict[str, Decimal] = dict.fromkeys(("wager_today", "wager_week", "wager_month"), Decimal(0))
        self._adopted[uid] = total = Decimal(self._chance.randrange(10**9)).scaleb(-4)
        of = {"uid": uid, "user_id": user_id, "read_at": START - 30 * DAY}
        insert_row(self._owner, wager_accounts, **of, total_wager=total, **figures)

    @override
    def _approve(self, player: Player, uid: str, now: datetime) -> None:
        super()._approve(player, uid, now)
        self.standings.approve(player.member.id, uid, now)

    @override
    def _unlink(self, player: Player, now: datetime) -> bool:
        uid = player.person.uid
        if uid is None or player.person.excluded_since is not None:
            return False
        self._change(player, Change(ends_link=True, reason="It is their sister's."), now)
        self._spare.append(uid)
        player.person.uid = None
        self.standings.end_link(player.member.id)
        return True

    @override
    def _erase(self, player: Player, now: datetime) -> bool:
        uid = player.person.uid
        is_erased = super()._erase(player, now)
        if is_erased:
            self.standings.erase(player.member.id, uid)
        return is_erased

    def is_out(self, user_id: int | None) -> bool:
        """Whether a member is suspended or excluded."""
        if user_id is None:
            return False
        person = self.players[user_id].person
        return person.is_suspended or person.excluded_since is not None


@dataclass(frozen=True)
class _Delivery:
    """An answer on its way to the function that ingests it."""

    key: str
    requested_at: datetime
    pages: list[Page]


class _Year:
    """The platform, the provider and the community of a year."""

    def __init__(
        self, owner: sa.Engine, runner: Runner, chance: random.Random, size: int, moments: list[datetime]
    ) -> None:
        self._owner, self._runner, self._chance, self._size, self._moments = owner, runner, chance, size, moments
        with owner.connect() as connection:
            newest = tier_versions.get_newest(connection)
        self._standings = Standings([Tier(tier.name, tier.min_wager, tier.reward) for tier in newest.tiers])
        self._members = _Members(owner, runner, chance, size, self._standings)
        self._provider = Provider(chance, self._members.uids, moments[0], moments[-1])
        self._waiting: deque[tuple[int, _Delivery]] = deque()
        self._taken: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._publish(VERSIONS[0], moments[0])

    def pass_by(self) -> None:
        """Let the time pass, and compare after each month and at the end."""
        republished = {len(self._moments) * number // len(VERSIONS): VERSIONS[number] for number in (1, 2)}
        month = self._moments[0].month
        for number, moment in enumerate(self._moments):
            self._provider.advance(moment)
            for account in self._provider.accounts:
                if account.pace and self._chance.random() < BIG_CHANCE:
                    account.total += self._chance.expovariate(1 / BIG_WAGER)
            requested_at = moment + timedelta(milliseconds=self._chance.randrange(1, 20_000))
            pages = self._provider.answer(requested_at, is_boundary=False)
            if pages is not None:
                self._send(number, _Delivery(key_of(requested_at), requested_at, pages))
            now = requested_at + timedelta(seconds=30)
            self._deliver(number, now)
            for _ in range(HAPPENINGS + self._size // 2_000):
                self._members.happen([], now)
            if number in republished:
                self._publish(republished[number], now)
            if moment.month != month:
                month = moment.month
                self._compare()
                self._write_statements(now)
        self._deliver(len(self._moments) + LONGEST_DELAY, self._moments[-1] + DAY)
        self._compare()
        self._write_statements(self._moments[-1] + 32 * DAY)
        self._compare_statements()

    def _publish(self, tiers: _Version, now: datetime) -> None:
        given = [tier_versions.Tier(name, Decimal(least), Decimal(reward)) for name, least, reward in tiers]
        # Twice the same is two versions, of which the second changes nothing else.
        for _ in range(2):
            self._runner.once(partial(tier_versions.publish, caller=self._members.staff, tiers=given, now=now), "jobs")
        self._standings.publish([Tier(tier.name, tier.min_wager, tier.reward) for tier in given])
        self._compare()

    def _send(self, number: int, delivery: _Delivery) -> None:
        is_late = self._chance.random() < LATE
        self._counts["late answers"] += is_late
        self._waiting.append((number + is_late * self._chance.randrange(1, LONGEST_DELAY), delivery))
        if self._chance.random() < REPEATED:
            self._waiting.append((number + self._chance.randrange(LONGEST_DELAY), delivery))
            self._counts["repeated answers"] += 1

    def _deliver(self, number: int, now: datetime) -> None:
        due = [delivery for at, delivery in self._waiting if at <= number]
        self._waiting = deque((at, delivery) for at, delivery in self._waiting if at > number)
        self._chance.shuffle(due)
        for delivery in due:
            key, pages = delivery.key, delivery.pages
            feed = parse_feed(FeedPage(page, *one) for page, one in enumerate(pages, 1))
            digest = hashlib.sha256(repr(pages).encode()).hexdigest()
            self._runner.run(partial(ingest_feed, now=now, key=key, sha256=digest, feed=feed), "jobs")
            answer = None if key in self._taken else read_pages(pages, (delivery.requested_at, key))
            self._taken.add(key)
            self._counts["feeds"] += answer is not None
            for uid, reading in answer[0].items() if answer else ():
                self._standings.read(uid, reading, is_out=self._members.is_out(self._standings.owner(uid)))

    def _compare(self) -> None:
        """Each member's tiers, their rewards and their notifications are those of the plain computation."""
        expected = self._standings.members
        of_members = sa.select(member_tiers).where(member_tiers.c.user_id.in_(expected))
        in_ledger = sa.select(rewards.c.source_id, rewards.c.user_id, rewards.c.amount).where(
            rewards.c.source_type == "tier", rewards.c.user_id.in_(expected)
        )
        mailed = sa.select(outbox.c.user_id, outbox.c.payload["tier"].astext).where(
            outbox.c.kind == "tier_reached", outbox.c.user_id.in_(expected)
        )
        present = sa.select(users.c.id, users.c.tier, users.c.total_wager, users.c.erased_at).where(
            users.c.id.in_(expected)
        )
        with self._owner.connect() as connection:
            rows = connection.execute(of_members).all()
            ledger = Counter(tuple(row) for row in connection.execute(in_ledger))
            mails = Counter(tuple(row) for row in connection.execute(mailed))
            people = connection.execute(present).all()
        reached: dict[int, dict[str, Reached]] = {user_id: {} for user_id in expected}
        for row in rows:
            reached[row.user_id][row.tier] = Reached(row.reward, row.is_silent)
        for person in people:
            member = expected[person.id]
            found = person.tier, person.total_wager, reached[person.id]
            assert found == (member.tier, member.total, member.reached), f"{person.id}: {found}, not {member}"
        assert ledger == Counter((row.id, row.user_id, row.reward) for row in rows if row.reward), "rewards differ"
        is_erased = {person.id for person in people if person.erased_at}
        noisy = Counter((row.user_id, row.tier) for row in rows if not row.is_silent and row.user_id not in is_erased)
        assert mails == noisy, "notifications differ"

    def _write_statements(self, now: datetime) -> None:
        self._runner.run(partial(_write_statements, now=now), "jobs")
        written = sa.select(statements.c.user_id).where(statements.c.created_at == now)
        with self._owner.connect() as connection:
            for user_id in self._standings.members.keys() & {*connection.scalars(written)}:
                self._standings.count(user_id)

    def _compare_statements(self) -> None:
        """A member has one statement a month at most, and their sum is what they wagered while they were linked."""
        of_members = sa.select(statements.c.user_id, statements.c.month, statements.c.wagered).where(
            statements.c.user_id.in_(self._standings.members)
        )
        with self._owner.connect() as connection:
            rows = connection.execute(of_members).all()
        assert max(Counter((row.user_id, row.month) for row in rows).values()) == 1
        wagered: Counter[int] = Counter()
        for row in rows:
            assert row.wagered >= 0
            wagered[row.user_id] += row.wagered
        for user_id, member in self._standings.members.items():
            if not member.is_erased:
                expected = self._standings.wagered(user_id)
                assert wagered[user_id] == expected, f"{user_id} wagered {wagered[user_id]}, not {expected}: {member}"
        self._counts["statements"] = len(rows)

    def summary(self) -> str:
        """What happened."""
        counts = self._counts + self._members.counts + self._runner.counts
        reached = [one for member in self._standings.members.values() for one in member.reached.values()]
        counts["tiers reached"] = sum(not one.is_silent for one in reached)
        counts["tiers recorded silently"] = sum(one.is_silent for one in reached)
        happened = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        return f"{self._size} members, ${sum(one.reward for one in reached)} for tiers: {happened}"


def _write_statements(connection: sa.Connection, *, now: datetime) -> None:
    """Write the statements that are due, in one transaction."""
    for month in months.find_months(connection, now=now):
        bounds = months.find_bounds(connection, month)
        after: int | None = 0
        while after is not None:
            after = writing.write_batch(connection, bounds, after, now=now).next_after
