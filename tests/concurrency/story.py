"""A race around its end: what happens to it on the platform, and what the plain computation says that it leads to.

A step is a work of the platform with its effect on the state of the plain computation. Of two steps at once, the
database must be left as by one of the two orders.
"""

import copy
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import sqlalchemy as sa

from goatedvips.clients.raw_feed import feed_key
from goatedvips.domain.access import Caller
from goatedvips.domain.races.results import settlement
from goatedvips.domain.wagers.feed import FeedPage, parse_feed
from goatedvips.domain.wagers.ingest import ingest_feed
from goatedvips.errors import Problem
from goatedvips.models.races import race_boundaries, wager_race_participants, wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.wagers import feeds
from tests.concurrency.together import at_once, overlapping
from tests.simulations.reference import Participant, Person, Race, Reports, Result
from tests.support.ingesting import Ingesting
from tests.support.members import Member, Members
from tests.support.races import Races

START = datetime(2030, 4, 1, tzinfo=UTC)
END = datetime(2030, 4, 8, tzinfo=UTC)
NEXT_END = datetime(2030, 4, 15, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIFETIME = timedelta(days=10_000)  # of sessions, which are made now
DUE = END + 31 * MINUTE
"""When the race is due, if the feed of its end was read within a minute."""


@dataclass
class State:
    """What the plain computation knows."""

    reports: Reports = field(default_factory=Reports)
    people: dict[int, Person] = field(default_factory=dict)
    races: dict[int, Race] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)

    def settle(self, race_id: int, *, now: datetime, force: bool = False) -> None:
        """Settle a race, if it is due and not settled."""
        result = self.reports.settle(self.races[race_id], self.people, now=now, force=force)
        if race_id not in self.results and result is not None:
            self.results[race_id] = result


@dataclass(frozen=True)
class Step:
    """Something that happens.

    Parameters
    ----------
    role: with which the platform's function reaches the database.
    """

    role: str
    work: Callable[[sa.Connection], Any]
    effect: Callable[[State], object]


class Story:
    """Three members in a race and in the one that starts at its end.

    Parameters
    ----------
    url: of the database, for each role.
    """

    def __init__(self, database: sa.Engine, url: Callable[[str], str]) -> None:
        self.database, self.url = database, url
        Ingesting(database).remove_all()
        made = Members(database)
        staff = made.staff(session_lifetime=LIFETIME)
        self.staff = Caller(staff.id, staff.session_id, "test")
        self.uids = [f"{name}-{staff.id}" for name in ("ann", "bob", "cid")]
        self.members: list[Member] = [
            made.new(seeds=False, session_lifetime=LIFETIME, uid=uid, verified=True) for uid in self.uids
        ]
        self.state = State(people={member.id: Person(uid) for member, uid in zip(self.members, self.uids, strict=True)})
        self.race, self.next_race = self._new_race(START, END), self._new_race(END, NEXT_END)

    def _new_race(self, start: datetime, end: datetime) -> int:
        races = Races(self.database)
        given = {"start_date": start, "end_date": end, "prize_distribution": {"1": 50, "2": 30, "3": 20}}
        race_id = races.new(**given, prize_pool=Decimal("100.01"), min_wager=Decimal(1), is_legacy=False)
        race = Race(race_id, start, end, Decimal("100.01"), Decimal(1), [Decimal(50), Decimal(30), Decimal(20)])
        for member in self.members:
            races.enter(race_id, member.id)
            race.participants[member.id] = Participant()
        self.state.races[race_id] = race
        return race_id

    def feed(self, at: datetime, *totals: str | int, ingested_at: datetime | None = None) -> Step:
        """The members' totals are read."""
        entries = [
            {"uid": uid, "wagered": {"all_time": str(total)}} for uid, total in zip(self.uids, totals, strict=True)
        ]
        body, key, now = json.dumps(entries), feed_key(at), ingested_at or at
        feed = parse_feed([FeedPage(1, 200, body)])
        work = partial(ingest_feed, now=now, key=key, sha256="0" * 64, feed=feed)
        return Step("jobs", work, lambda state: state.reports.ingest(key, at, [(200, body)], ingested_at=now))

    def settling(self, race_id: int | None = None, *, now: datetime = DUE) -> Step:
        """The schedule settles a race."""
        race = self.race if race_id is None else race_id
        work = partial(settlement.settle_due, race_id=race, now=now)
        return Step("jobs", work, lambda state: state.settle(race, now=now))

    def forcing(self, *, now: datetime) -> Step:
        """Staff force the settlement."""
        work = partial(settlement.settle, caller=self.staff, race_id=self.race, force=True, now=now)
        return Step("jobs", work, lambda state: state.settle(self.race, now=now, force=True))

    def change(self, work: Callable[[sa.Connection], Any], member: int = 0, role: str = "api", **person: Any) -> Step:
        """Something changes what decides whether a member is ranked."""

        def effect(state: State) -> None:
            for name, value in person.items():
                setattr(state.people[self.members[member].id], name, value)

        return Step(role, work, effect)

    def happens(self, *steps: Step) -> list[Any]:
        """Let steps happen, one after the other. Return what the platform returned."""
        returned = []
        for step in steps:
            (result,) = at_once(self.url(step.role), [step.work])
            if isinstance(result, Exception):
                raise result
            step.effect(self.state)
            returned.append(result)
        return returned

    def overlap(self, first: Step, second: Step, later: Iterable[Step] = ()) -> list[Any]:
        """Let two steps happen at once and others later; the results are those of one of the two orders.

        Return what the platform returned or raised for the two.
        """
        returned = self.overlap_freely(first, second)
        orders = []
        for order in ((first, second), (second, first)):
            state = copy.deepcopy(self.state)
            for step in order:
                step.effect(state)
            orders.append(state)
        later = list(later)
        self.happens(*later)
        for state in orders:
            for step in later:
                step.effect(state)
        found = self.results()
        assert found in [expected(state) for state in orders], (found, [expected(state) for state in orders], returned)
        return returned

    def overlap_freely(self, first: Step, second: Step) -> list[Any]:
        """Let two steps happen at once, without the plain computation. Return what they returned or raised."""
        given = (self.url(first.role), first.work), (self.url(second.role), second.work)
        returned = overlapping(self.database, *given)
        assert not isinstance(returned[0], Exception), returned
        assert not isinstance(returned[1], Exception) or isinstance(returned[1], Problem), returned
        return returned

    def check(self) -> None:
        """The results are those of the plain computation."""
        found = self.results()
        assert found
        assert found == expected(self.state)

    def results(self) -> dict[int, Any]:
        """The settled races: standings with prizes, and the keys of the boundary feeds."""
        races = sa.select(wager_races).where(wager_races.c.settled_at.is_not(None))
        keys = sa.select(race_boundaries.c.instant, feeds.c.key).join(feeds, feeds.c.id == race_boundaries.c.feed_id)
        fixed = keys.where(race_boundaries.c.fixed_at.is_not(None))
        participants = wager_race_participants.c
        prize = sa.select(rewards.c.amount).where(
            rewards.c.source_type == "race",
            rewards.c.source_id == participants.race_id,
            rewards.c.user_id == participants.user_id,
        )
        standings = sa.select(
            participants.race_id,
            participants.user_id,
            participants.rank,
            participants.total_wager,
            sa.func.coalesce(prize.scalar_subquery(), 0).label("prize"),
        )
        with self.database.connect() as connection:
            boundaries = {row.instant: row.key for row in connection.execute(fixed)}
            rows = connection.execute(standings).all()
            settled = connection.execute(races).all()
        return {
            race.id: (
                {row.user_id: _standing(row) for row in rows if row.race_id == race.id},
                (boundaries.get(race.start_date), boundaries.get(race.end_date)),
            )
            for race in settled
        }


def expected(state: State) -> dict[int, Any]:
    """The results of the plain computation, as `Story.results` has those of the platform."""
    return {
        race_id: ({user: _standing(one) for user, one in result.standings.items()}, result.feeds)
        for race_id, result in state.results.items()
    }


def _standing(row: Any) -> tuple[int | None, Decimal | None, Decimal]:
    """The rank, the score of those who are ranked, and the prize."""
    score = row.total_wager if hasattr(row, "total_wager") else row.score
    return row.rank, None if row.rank is None else score, row.prize
