"""A month of races, from the affiliate's answers to prizes, held to a plain computation of the same results.

Three races run at once, some of them back to back. The feed fails, comes late, twice, in pieces and out of order, and
dies for more than a day. Members are linked anew, excluded, suspended and erased; staff raise prize pools, move the end
of a race and cancel another one, and some races are settled days late. Whatever changes the database is run twice, from
two connections at once, and in processes that are killed; some feeds are ingested by the function's handler.
"""

import hashlib
import random
import sys
import tempfile
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from goatedvips.domain.races import changes, recurrence
from goatedvips.domain.races.results import dry_runs, settlement
from goatedvips.domain.wagers import acceptance
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import ingest_feed
from goatedvips.errors import RaceSettled
from goatedvips.models.races import wager_race_participants, wager_races
from goatedvips.models.wagers import feeds
from tests.simulations import outcomes
from tests.simulations.functions import IngestFunction
from tests.simulations.happenings import Community
from tests.simulations.provider import Page, Provider
from tests.simulations.reference import Participant, Race, Reports, Result
from tests.simulations.runner import Runner
from tests.support.feeds import run as bucket_of_feeds
from tests.support.ingesting import Ingesting, key_of
from tests.support.races import Races
from tests.support.stack import Stack

DAYS = 30
KILLS = 100
START = datetime(2030, 4, 1, tzinfo=UTC)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEFORE, OUTAGE, AFTER = 12 * HOUR, (6 * HOUR, 41 * HOUR), 54 * HOUR  # of the start; within and of the end
DELAY, LONGEST_DELAYED, DELAYED = timedelta(minutes=30), 72, 1 / 3  # of settlements; in hours, and how often
LATER_END = 2 * HOUR  # by which staff move the end of a race
FORCED_END = 8 * HOUR  # of the race whose end's feed never comes, after the end of the others
UNREACHABLE = Decimal(10**8)  # the least score of a race in which nobody is ranked
SHELLS = 0.03  # of the number of members, in the race of the legacy application
JOINING, CARRIED_OVER = 0.9, 0.3  # of members: in a race, and with a score that the legacy application left
LATE, REPEATED = 0.12, 0.06  # of answers
LONGEST_DELAY = 24  # requests
LAST_KILL = 1.1  # the length of the month, in times of that after which no kill is due any more
EACH_BOARD = 1_000  # members up to whose number whole boards are compared after each feed, and more is run again
SOME_BY_HANDLER, MORE_BY_HANDLER = 1 / 40, 1 / 10  # of answers: up to that number of members, and with more
SOME_BOARDS, SAMPLE = 10, 30  # else after one feed in so many; after the others the scores of so many participants
POOLS = ("100.01", "5000.00", "0.07", "99999.99")
PERCENTS = (("50", "30", "20"), ("33.33", "33.33", "33.33"), ("25", "15", "10", "7.5", "5", "0.01"), ("100",))


@dataclass(frozen=True)
class Delivery:
    """An answer on its way to the function that ingests it."""

    key: str
    requested_at: datetime
    pages: list[Page]


def run(servers: Stack, name: str, *, size: int, seed: int, days: int = DAYS, kills: int = KILLS) -> str:
    """Let a month pass, and compare each settled race with the plain computation. Return a summary.

    Parameters
    ----------
    servers: the servers, with a migrated database `name`.
    size: the number of members.
    seed: of the pseudo-random choices.
    days: from the start of the first races to the end of the last ones, but for those around the outage.
    kills: how many runs of functions are killed within a transaction, at least.
    """
    url = servers.direct(name).replace("postgresql:", "postgresql+pg8000:")
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    chance = random.Random(seed)
    ways = (7, 2, 1) if size <= EACH_BOARD else (17, 2, 1)
    runner = Runner(servers, name, random.Random(seed), kills, ways)  # choices of its own: they depend on when it kills
    Ingesting(owner).remove_all()
    with tempfile.TemporaryDirectory() as folder, bucket_of_feeds(Path(folder), accounts=1) as bucket:
        function = IngestFunction(servers, name, owner, bucket, random.Random(seed), size)
        try:
            month = _Month(owner, runner, function, chance, size, days)
            with redirect_stdout(None):  # the requests to the bucket
                month.pass_by()
            killed = runner.counts["killed within a transaction"]
            assert killed >= kills, f"only {killed} runs were killed within a transaction"
            return month.summary()
        finally:
            function.close()
            runner.close()
            Ingesting(owner).remove_all()
            owner.dispose()


class _Month:
    """The platform, the provider and the community of a month."""

    def __init__(
        self, owner: sa.Engine, runner: Runner, function: IngestFunction, chance: random.Random, size: int, days: int
    ) -> None:
        self._owner, self._runner, self._function, self._chance, self._size = owner, runner, function, chance, size
        self._end = START + days * DAY
        self._reports = Reports()
        self._community = Community(owner, runner, self._reports, chance, size, shells=int(size * SHELLS))
        self._provider = Provider(chance, self._community.uids, START - BEFORE, self._end)
        self._legacy_ids: set[int] = set()
        self._races = self._make_races(days)
        self._longer = self._races[-1]
        self._cancelled = self._make_race(START + days * DAY / 4, START + days * DAY / 2)
        self._delays = {race.id: self._delay() for race in self._races}
        self._results: dict[int, Result] = {}
        self._digests: dict[str, str] = {}
        self._waiting: deque[tuple[int, Delivery]] = deque()
        self._counts: Counter[str] = Counter()

    def _make_races(self, days: int) -> list[Race]:
        relay = max(1, days // 4)
        windows = [(day, min(day + relay, days)) for day in range(0, days, relay)]
        instants = [(START + start * DAY, START + end * DAY) for start, end in windows]
        forced = self._end + FORCED_END
        instants += [(self._end - 6 * HOUR, forced), (forced, self._end + OUTAGE[1] + 3 * HOUR)]
        legacy = self._make_race(START, self._end, is_legacy=True)
        self._legacy_ids.add(legacy.id)
        for user_id in self._community.shells:
            Races(self._owner).enter(legacy.id, user_id)
            legacy.participants[user_id] = Participant()
        unreachable = self._make_race(START + 6 * HOUR, START + 12 * HOUR, min_wager=UNREACHABLE)
        third = START + days // 3 * DAY, self._end
        return [legacy, unreachable, *(self._make_race(start, end) for start, end in (*instants, third))]

    def _delay(self) -> timedelta:
        """How long the schedule fails to settle a race that is due."""
        return self._chance.randrange(1, LONGEST_DELAYED) * HOUR * (self._chance.random() < DELAYED)

    def _make_race(
        self, start: datetime, end: datetime, *, is_legacy: bool = False, min_wager: Decimal | None = None
    ) -> Race:
        percents = [Decimal(percent) for percent in self._chance.choice(PERCENTS)]
        pool = Decimal(self._chance.choice(POOLS))
        if min_wager is None:
            min_wager = Decimal(self._chance.choice([0, 10, 100]))
        race_id = Races(self._owner).new(
            start_date=start,
            end_date=end,
            prize_pool=pool,
            min_wager=min_wager,
            prize_distribution={str(rank): float(percent) for rank, percent in enumerate(percents, 1)},
            is_legacy=is_legacy,
        )
        race = Race(race_id, start, end, pool, min_wager, percents)
        joining = [user_id for user_id in self._community.players if self._chance.random() < JOINING]
        carried_over = dict.fromkeys(joining, Decimal(0))
        for user_id in joining:
            if is_legacy and self._chance.random() < CARRIED_OVER:
                carried_over[user_id] = Decimal(self._chance.randrange(1, 10**5)).scaleb(-2)
        self._community.join_all(race, carried_over, START - DAY)
        return race

    def _moments(self) -> list[datetime]:
        """When the feed is asked for: each hour, every ten minutes in the last day, and not at all in the outage."""
        moments, moment = [], START - BEFORE
        while moment < self._end + AFTER:
            if not self._end + OUTAGE[0] <= moment < self._end + OUTAGE[1]:
                moments.append(moment)
            moment += timedelta(minutes=10) if self._end - DAY <= moment < self._end else HOUR
        return moments

    def pass_by(self) -> None:
        """Let the time pass, and check at the end that nothing has changed what was settled."""
        moments = self._moments()
        instants = {race.start for race in self._races} | {race.end for race in self._races}
        for number, moment in enumerate(moments):
            self._runner.progress = min(1, LAST_KILL * number / len(moments))
            if self._size > EACH_BOARD and number % 24 == 0:
                print(f"{moment:%B %d, %H:%M}: {len(self._reports.feeds)} feeds", file=sys.__stdout__, flush=True)
            self._provider.advance(moment)
            requested_at = moment + timedelta(milliseconds=self._chance.randrange(1, 20_000))
            pages = self._provider.answer(requested_at, is_boundary=moment in instants)
            if pages is not None:
                self._send(number, Delivery(key_of(requested_at), requested_at, pages))
            now = requested_at + timedelta(seconds=30)
            self._deliver(number, now)
            self._advance_races(now)
            for _ in range(1 + self._size // 5_000):
                self._community.happen(self._unsettled(), now)
            self._change_races(now)
            self._community.accept_falls(now)
            self._accept_drop(now)
            self._settle(moment + timedelta(seconds=self._chance.randrange(60, 600)))
            if number + 1 < len(moments) and moments[number + 1] - moment > DAY:
                self._pass_outage(moment, moments[number + 1])
        self._deliver(len(moments) + 2 * LONGEST_DELAY, moments[-1] + HOUR)
        self._settle(moments[-1] + LONGEST_DELAYED * HOUR)
        assert not self._unsettled(), "a race was never settled"
        with self._owner.connect() as connection:
            for race in self._races:
                self._compare_standings(race, self._results[race.id])
                outcomes.compare_results(
                    connection, race, self._results[race.id], self._community.people, self._digests
                )
            outcomes.compare_cancelled(connection, self._cancelled)

    def _pass_outage(self, moment: datetime, resumed: datetime) -> None:
        """Look each hour whether a race is settled without a feed of its end, then let staff force it."""
        while (moment := moment + HOUR) < resumed:
            self._settle(moment)
            for race in [race for race in self._unsettled() if moment >= race.end + DAY]:
                if self._reports.boundary(race.end) is None:
                    self._settle_one(race, moment, force=True)

    def _advance_races(self, now: datetime) -> None:
        """Let the schedule write the races' statuses: they follow the clock."""
        self._runner.run(partial(recurrence.advance, legacy_app=False, now=now), "jobs")
        with self._owner.connect() as connection:
            rows = connection.execute(sa.select(wager_races.c.id, wager_races.c.status)).all()
        found = {row.id: row.status for row in rows}
        for race in self._races:
            expected = "upcoming" if now < race.start else "live" if now < race.end else "completed"
            assert found[race.id] == expected, f"race {race.id} is {found[race.id]}, not {expected}"

    def _change_races(self, now: datetime) -> None:
        """Let staff move the end of a race in its last day, and cancel another one while it runs."""
        staff, longer, other = self._community.staff, self._longer, self._cancelled
        if longer.end == self._end and now >= longer.end - DAY:
            given = {"end_date": longer.end + LATER_END}
            self._runner.run(partial(changes.change, caller=staff, race_id=longer.id, given=given, now=now))
            longer.end += LATER_END
            self._counts["ends that moved"] += 1
        if not self._counts["cancelled races"] and now >= other.start + (other.end - other.start) / 2:
            self._runner.run(partial(changes.cancel, caller=staff, race_id=other.id, now=now))
            self._counts["cancelled races"] += 1

    def _unsettled(self) -> list[Race]:
        return [race for race in self._races if race.id not in self._results]

    def _send(self, number: int, delivery: Delivery) -> None:
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
            before = len(self._reports.feeds)
            key, pages = delivery.key, delivery.pages
            with ThreadPoolExecutor(1) as pool:  # while the platform waits for PostgreSQL
                reported = pool.submit(self._reports.ingest, key, delivery.requested_at, pages, ingested_at=now)
                self._ingest(key, pages, now)
            reported.result()
            self._compare_feed(key)
            if len(self._reports.feeds) > before:
                self._compare_boards(now)

    def _ingest(self, key: str, pages: list[Page], now: datetime) -> None:
        if self._chance.random() < (SOME_BY_HANDLER if self._size <= EACH_BOARD else MORE_BY_HANDLER):
            digest = self._function.ingest(key, pages, now)
        else:
            digest = hashlib.sha256(repr(pages).encode()).hexdigest()
            feed = parse_feed(FeedPage(page, *one) for page, one in enumerate(pages, 1))
            self._runner.run(partial(ingest_feed, now=now, key=key, sha256=digest, feed=feed), "jobs")
        self._digests.setdefault(key, digest)  # a repeated answer changes nothing

    def _compare_feed(self, key: str) -> None:
        with self._owner.connect() as connection:
            is_whole = connection.scalar(sa.select(feeds.c.is_whole).where(feeds.c.key == key))
        expected = [feed.is_whole for feed in self._reports.feeds if feed.moment[1] == key]
        assert is_whole == (expected == [True]), f"{key} is whole: {is_whole}"
        self._counts["answers"] += 1
        self._counts["answers that are no feed"] += not expected
        self._counts["feeds that are not whole"] += expected == [False]

    def _compare_boards(self, now: datetime) -> None:
        """The ranks of the running races are those that they would end with."""
        people, is_whole = (
            self._community.people,
            self._size <= EACH_BOARD or len(self._reports.feeds) % SOME_BOARDS == 0,
        )
        for race in [race for race in self._unsettled() if race.start <= now < race.end]:
            if is_whole:
                board = self._reports.board(race, people)
                if board is not None:
                    self._compare_standings(race, board)
                    self._counts["whole boards"] += 1
            else:
                self._compare_scores(race, self._chance.sample(list(race.participants), SAMPLE))

    def _compare_scores(self, race: Race, user_ids: list[int]) -> None:
        """The scores of some participants are those of the plain computation."""
        participants = wager_race_participants.c
        wanted = sa.select(participants.user_id, participants.total_wager).where(
            participants.race_id == race.id, participants.user_id.in_(user_ids)
        )
        linked = {user_id for user_id in user_ids if self._community.people[user_id].uid is not None}
        scores = self._reports.scores(race, self._community.people, linked)
        with self._owner.connect() as connection:
            found = {row.user_id: row.total_wager for row in connection.execute(wanted) if row.user_id in linked}
        assert scores is None or found == scores, f"race {race.id}: {found}, not {scores}"

    def _accept_drop(self, now: datetime) -> None:
        last = max(self._reports.feeds, key=lambda feed: feed.moment, default=None)
        if last is not None and last.is_complete and not last.is_whole and self._chance.random() < 0.1:
            key = last.moment[1]
            self._runner.run(
                partial(acceptance.accept_feed, caller=self._community.staff, reason="They left.", now=now), "jobs"
            )
            self._reports.accept_drop(key)
            self._counts["accepted feeds"] += 1

    def _settle(self, now: datetime) -> None:
        """Settle the races that are due: the schedule has found all but the one of the legacy application."""
        due = [race for race in self._unsettled() if self._reports.is_due(race, now)]
        overdue = {race.id for race in self._unsettled() if race.end + DAY <= now}
        with self._owner.connect() as connection:
            assert set(settlement.find_due(connection, now=now)) == {race.id for race in due} - self._legacy_ids
            assert set(settlement.find_overdue(connection, now=now)) == overdue
        for race in due:
            if now >= race.end + DELAY + self._delays[race.id]:
                self._settle_one(race, now)
                self._counts["settlements a day late"] += now >= race.end + DAY

    def _settle_one(self, race: Race, now: datetime, *, force: bool = False) -> None:
        """Settle a race after a dry run: the schedule does it, or staff if it is one of the legacy application."""
        staff, people = self._community.staff, self._community.people
        board = self._reports.board(race, people)
        if board is not None:  # its first ones, and who is ranked last
            ranked = sorted((one.rank, user_id) for user_id, one in board.standings.items() if one.rank is not None)
            self._community.happen_to_each([user_id for _, user_id in [*ranked[:2], *ranked[2:][-3:]]], now)
        dry_run = self._runner.once(partial(dry_runs.dry_run, caller=staff, race_id=race.id, now=now))
        if force or race.id in self._legacy_ids:
            settle = partial(settlement.settle, caller=staff, race_id=race.id, force=force, now=now)
            self._runner.run_in_all_ways(settle, "jobs")
        else:
            self._runner.run_in_all_ways(partial(settlement.settle_due, race_id=race.id, now=now), "jobs")
        self._runner.refuse(partial(changes.cancel, caller=staff, race_id=race.id, now=now), RaceSettled)
        higher = {"prize_pool": race.pool + 1}
        self._runner.refuse(partial(changes.change, caller=staff, race_id=race.id, given=higher, now=now), RaceSettled)
        result = self._reports.settle(race, people, now=now, force=force)
        assert result is not None
        self._results[race.id] = result
        self._compare_standings(race, result)
        outcomes.compare_dry_run(dry_run, race, result, people, self._reports.falls())
        sample = self._chance.sample(list(race.participants), SAMPLE)
        with self._owner.connect() as connection:
            outcomes.compare_results(connection, race, result, people, self._digests)
            outcomes.compare_mail(connection, race, result, people)
            points = outcomes.compare_histories(connection, self._reports, race, people, sample)
        ranks = Counter(one.rank for one in result.standings.values() if one.rank is not None)
        self._counts["points of histories"] += points
        self._counts["races without a rank"] += not ranks
        self._counts["forced settlements"] += force
        self._counts["members ranked"] += ranks.total()
        self._counts["members tied"] += sum(count for count in ranks.values() if count > 1)
        self._counts["newcomers"] += sum(one.is_new for one in result.standings.values())

    def _compare_standings(self, race: Race, result: Result) -> None:
        participants = wager_race_participants.c
        columns = sa.select(participants.user_id, participants.rank, participants.total_wager)
        with self._owner.connect() as connection:
            rows = connection.execute(columns.where(participants.race_id == race.id)).all()
        assert {row.user_id for row in rows} == set(result.standings)
        people, differences = self._community.people, []
        for row in rows:
            expected = result.standings[row.user_id]
            has_score = row.total_wager == expected.score or people[row.user_id].uid is None
            if row.rank != expected.rank or not has_score:
                differences.append(f"{people[row.user_id]}: {row.rank} {row.total_wager}, not {expected}")
        assert not differences, f"race {race.id} from {race.start} to {race.end}: {differences[:5]}"

    def summary(self) -> str:
        """What happened."""
        paid = sum(result.standings[user].prize for result in self._results.values() for user in result.standings)
        counts: Counter[Any] = self._counts + self._community.counts + self._runner.counts + self._function.counts
        happened = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        return f"{self._size} members, {len(self._results)} races, ${paid} paid: {happened}"
