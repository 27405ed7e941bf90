"""The results of races, worked out slowly and plainly from everything that was reported: what the platform is held to.

Nothing of the platform is imported, and nothing is stored that could be worked out again, but for the accounts whose
total has fallen. The rules are those of the platform's documentation, one function for each: which feeds are whole,
which feed is a boundary, the base and the score of an account, who is ranked, and what each place is paid.
"""

import hashlib
import json
import re
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import lru_cache
from sys import intern
from typing import Any

CENT, STORED = Decimal("0.01"), Decimal("0.00000001")
BAD_FROM = Decimal(10**10)  # a figure from here on is bad
LEAST_SHARE = Fraction(4, 5)  # of the uids of the last whole feed that a whole feed holds
DELAY = timedelta(minutes=30)  # of a settlement
FORCED_AFTER = timedelta(hours=24)  # of the end, without its feed
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
KEPT = 200_000  # amounts that were read last, because most stand in the next feed, too
FIGURES = ("all_time", "this_week", "this_month", "today")
ALWAYS = datetime.min.replace(tzinfo=UTC), ""

type Moment = tuple[datetime, str]
"""When a feed was requested, and its key: the order of feeds."""


@dataclass(frozen=True, order=True, slots=True)
class Reading:
    """A good entry of a feed: the figures of an account, in US dollars."""

    moment: Moment
    total: Decimal
    week: Decimal
    month: Decimal


@dataclass
class Feed:
    """An answer of the affiliate API that is a feed, whole or not.

    Parameters
    ----------
    is_complete: has as many pages and entries as it says; a whole one also has enough of the last whole one's uids.
    """

    moment: Moment
    ingested_at: datetime
    uids: frozenset[str]
    is_complete: bool
    is_whole: bool
    last_updated: datetime | None


@dataclass(frozen=True)
class Fall:
    """A lower total that staff accepted.

    Parameters
    ----------
    moment: of the reading with the lower total.
    amount: by how much it is below the highest total at that time.
    last_feed: of the newest feed that had the account when staff accepted it.
    """

    moment: Moment
    amount: Decimal
    last_feed: Moment


@dataclass
class Participant:
    """A member's participation in a race."""

    carried_over: Decimal = Decimal(0)
    is_disqualified: bool = False


@dataclass
class Race:
    """A race, its terms, and who takes part, by user id."""

    id: int
    start: datetime
    end: datetime
    pool: Decimal
    min_wager: Decimal
    percents: Sequence[Decimal]
    participants: dict[int, Participant] = field(default_factory=dict)


@dataclass
class Person:
    """A user, and what decides whether they are ranked."""

    uid: str | None = None
    is_staff: bool = False
    is_suspended: bool = False
    is_erased: bool = False
    is_shell: bool = False
    excluded_since: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """The result of a participant; the prize is in US dollars."""

    rank: int | None
    score: Decimal
    prize: Decimal
    is_new: bool = False


@dataclass(frozen=True)
class Result:
    """The result of a race, by user id, with the keys of its boundary feeds."""

    standings: Mapping[int, Standing]
    unallocated: Decimal
    feeds: tuple[str, str]


class Reports:
    """Everything that was reported, in the order in which the platform received it."""

    def __init__(self) -> None:
        self.feeds: list[Feed] = []
        self._keys: set[str] = set()
        self._readings: dict[str, list[Reading]] = {}
        self._falls: dict[str, list[Fall]] = {}
        self._changed: set[str] = set()  # accounts with other readings or falls than at the last look for falls
        self._fallen: dict[str, Decimal] = {}  # what the last look found
        self._first_seen: dict[str, Moment] = {}
        self._erased: set[str] = set()
        self._fixed: dict[datetime, Feed] = {}

    def adopt(self, uid: str) -> None:
        """The legacy application had a total of an account."""
        self._first_seen[uid] = ALWAYS

    def ingest(
        self, key: str, requested_at: datetime, pages: Sequence[tuple[int, str]], *, ingested_at: datetime
    ) -> None:
        """Take a raw answer, given as status and body of each page. A key that was taken before changes nothing."""
        if key in self._keys:
            return
        self._keys.add(key)
        answer = read_pages(pages, (requested_at, key))
        if answer is None:
            return
        good, bad, is_complete, last_updated = answer
        uids = frozenset(map(intern, good)) | bad
        before = [feed for feed in self.feeds if feed.is_whole and feed.moment < (requested_at, key)]
        last = max(before, key=lambda feed: feed.moment, default=None)
        if last is not None and last.uids == uids:
            uids = last.uids  # one object for equal sets
        is_whole = is_complete and (last is None or len(uids & last.uids) >= LEAST_SHARE * len(last.uids))
        self.feeds.append(Feed((requested_at, key), ingested_at, uids, is_complete, is_whole, last_updated))
        for uid in bad:
            self._first_seen[uid] = min(self._first_seen.get(uid, (requested_at, key)), (requested_at, key))
        for uid, reading in good.items():
            if uid not in self._erased:
                self._read(uid, reading)

    def _read(self, uid: str, reading: Reading) -> None:
        if any(reading.moment < fall.last_feed for fall in self._falls.get(uid, ())):
            return  # an earlier reading that comes later than the acceptance of a fall
        readings = self._readings.setdefault(uid, [])
        place = bisect_right(readings, reading.moment, key=lambda one: one.moment)
        # One that repeats the total before it changes neither a highest total nor which reading is the first.
        if place == 0 or readings[place - 1].total != reading.total:
            insort(readings, reading)
            self._changed.add(uid)

    def accept_drop(self, key: str) -> None:
        """Staff accept that a feed has far fewer uids than the one before."""
        (feed,) = (feed for feed in self.feeds if feed.moment[1] == key)
        feed.is_whole = True

    def falls(self) -> dict[str, Decimal]:
        """The last totals of the accounts that are below the highest one."""
        for uid in sorted(self._changed):
            self._fallen.pop(uid, None)
            readings = self._readings.get(uid, [])
            highest = max((self._lifted(uid, reading) for reading in readings), default=Decimal(0))
            if readings and self._lifted(uid, readings[-1]) < highest:
                self._fallen[uid] = readings[-1].total
        self._changed.clear()
        return dict(self._fallen)

    def accept_fall(self, uid: str) -> None:
        """Staff accept the last total of an account although an earlier one is higher."""
        last = self._readings[uid][-1]
        highest = max(self._lifted(uid, reading) for reading in self._readings[uid])
        last_feed = max(feed.moment for feed in self.feeds if uid in feed.uids)
        self._changed.add(uid)
        self._falls.setdefault(uid, []).append(Fall(last.moment, highest - self._lifted(uid, last), last_feed))

    def _lifted(self, uid: str, reading: Reading) -> Decimal:
        """The total as if no accepted fall had happened: so an accepted fall changes no score."""
        if uid not in self._falls:
            return reading.total
        return reading.total + sum(fall.amount for fall in self._falls[uid] if fall.moment <= reading.moment)

    def erase(self, uid: str) -> None:
        """Forget what was read of an account whose member erases themselves, and what will be.

        Nobody can tell afterwards since when it was seen, so it counts as seen before all feeds.
        """
        self._first_seen[uid] = ALWAYS
        self._readings.pop(uid, None)
        self._falls.pop(uid, None)
        self._changed.add(uid)
        self._erased.add(uid)

    def take_up(self, uid: str) -> None:
        """A link that staff approve takes an erased uid up again."""
        self._erased.discard(uid)

    def boundary(self, instant: datetime) -> Feed | None:
        """The feed of an instant: the first whole one that was requested at or after it, unless it is fixed."""
        if instant in self._fixed:
            return self._fixed[instant]
        serving = [
            feed
            for feed in self.feeds
            if feed.is_whole
            and feed.moment[0] >= instant
            and (feed.last_updated is None or feed.last_updated >= instant)
        ]
        return min(serving, key=lambda feed: feed.moment, default=None)

    def highest(self, uid: str, feed: Feed) -> Decimal | None:
        """The highest total up to a feed."""
        totals = [self._lifted(uid, one) for one in self._readings.get(uid, ()) if one.moment <= feed.moment]
        return max(totals, default=None)

    def is_new(self, uid: str, start: Feed) -> bool:
        """Whether an account appeared, if only in a bad entry, after the whole feed of a race's start."""
        seen = [reading.moment for reading in self._readings.get(uid, ())[:1]]
        seen += [self._first_seen[uid]] if uid in self._first_seen else []
        return start.is_whole and bool(seen) and min(seen) > start.moment

    def base(self, uid: str, start: Feed) -> Decimal | None:
        """What an account had wagered when a race started. None: it has no reading at all."""
        before = self.highest(uid, start)
        if before is not None or uid not in self._readings:
            return before
        first = self._readings[uid][0]
        lately = min(first.total, max(first.week, first.month)) if self.is_new(uid, start) else 0
        return self._lifted(uid, first) - lately

    def score(self, uid: str, start: Feed, end: Feed) -> Decimal:
        """What an account wagered within a race, cut to cents."""
        base, highest = self.base(uid, start), self.highest(uid, end)
        return Decimal(0) if base is None or highest is None else (highest - base).quantize(CENT, ROUND_FLOOR)

    def rise(self, race: Race, uid: str | None, carried_over: Decimal) -> list[tuple[datetime, Decimal]]:
        """How the score of an account in a settled race rose: when each reading was requested, and the score then."""
        start, end = self._fixed[race.start], self._fixed[race.end]
        base = None if uid is None else self.base(uid, start)
        if uid is None or base is None:
            return []
        points, highest = [], base
        for reading in self._readings[uid]:
            if start.moment < reading.moment <= end.moment:
                highest = max(highest, self._lifted(uid, reading))
                points.append((reading.moment[0], (highest - base).quantize(CENT, ROUND_FLOOR) + carried_over))
        return points

    def is_due(self, race: Race, now: datetime) -> bool:
        """Whether the schedule settles a race."""
        end = self.boundary(race.end)
        return end is not None and now >= max(race.end, end.ingested_at) + DELAY

    def settle(self, race: Race, people: Mapping[int, Person], *, now: datetime, force: bool = False) -> Result | None:
        """Settle a race. None: it cannot be settled yet."""
        start, end = self.boundary(race.start), self.boundary(race.end)
        if force and end is None and now >= race.end + FORCED_AFTER and self.feeds:
            end = max(self.feeds, key=lambda feed: feed.moment)
            start = start or end
        elif not self.is_due(race, now):
            return None
        assert start is not None
        assert end is not None
        self._fixed[race.start], self._fixed[race.end] = start, end
        return self._result(race, people, start, end)

    def board(self, race: Race, people: Mapping[int, Person]) -> Result | None:
        """The result of a race if the last feed were its end's. None: there is no feed of its start yet."""
        start, last = self.boundary(race.start), max(self.feeds, key=lambda feed: feed.moment)
        return None if start is None else self._result(race, people, start, last)

    def scores(self, race: Race, people: Mapping[int, Person], user_ids: Iterable[int]) -> dict[int, Decimal] | None:
        """The scores of some participants on the board of a race. None: there is no feed of its start yet."""
        start, last = self.boundary(race.start), max(self.feeds, key=lambda feed: feed.moment)
        if start is None:
            return None
        return {user_id: self._participant_score(race, user_id, people, start, last)[0] for user_id in user_ids}

    def _participant_score(
        self, race: Race, user_id: int, people: Mapping[int, Person], start: Feed, end: Feed
    ) -> tuple[Decimal, bool]:
        uid, carried_over = people[user_id].uid, race.participants[user_id].carried_over
        if uid is None:
            return carried_over, False
        return self.score(uid, start, end) + carried_over, self.is_new(uid, start)

    def _result(self, race: Race, people: Mapping[int, Person], start: Feed, end: Feed) -> Result:
        scores = {user_id: self._participant_score(race, user_id, people, start, end) for user_id in race.participants}
        ranked = {user_id: score for user_id, (score, _) in scores.items() if _is_ranked(race, user_id, score, people)}
        higher = sorted(ranked.values())
        ranks = {user_id: 1 + len(ranked) - bisect_right(higher, score) for user_id, score in ranked.items()}
        prizes = pay(race, ranks)
        standings = {
            user_id: Standing(ranks.get(user_id), score, prizes.get(user_id, Decimal(0)), is_new)
            for user_id, (score, is_new) in scores.items()
        }
        return Result(standings, race.pool - sum(prizes.values()), (start.moment[1], end.moment[1]))


def _is_ranked(race: Race, user_id: int, score: Decimal, people: Mapping[int, Person]) -> bool:
    person = people[user_id]
    is_out = person.is_staff or person.is_suspended or person.is_erased or person.is_shell
    was_excluded = person.excluded_since is not None and person.excluded_since < race.end
    return (
        person.uid is not None
        and score > 0
        and score >= race.min_wager
        and not (is_out or was_excluded or race.participants[user_id].is_disqualified)
    )


def pay(race: Race, ranks: Mapping[int, int]) -> dict[int, Decimal]:
    """The prize of each ranked user whose rank is paid."""
    places = cents_of_places(race.pool, race.percents)
    prizes = {}
    for rank in set(ranks.values()):
        tied = sorted(
            (user_id for user_id in ranks if ranks[user_id] == rank),
            key=lambda user_id: hashlib.sha256(f"{race.id}:{user_id}".encode()).digest(),
        )
        shared = sum(places[rank - 1 : rank - 1 + len(tied)])
        for number, user_id in enumerate(tied):
            cents = shared // len(tied) + (number < shared % len(tied))
            if cents:
                prizes[user_id] = cents * CENT
    return prizes


def cents_of_places(pool: Decimal, percents: Sequence[Decimal]) -> list[int]:
    """What each place is worth in cents, whoever is there: by largest remainder, equal ones to the better place."""
    whole = sum(Fraction(percent) for percent in percents)
    all_cents = int(Fraction(pool) * 100 * whole / 100)
    exact = [all_cents * Fraction(percent) / whole for percent in percents]
    cents = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: (cents[place] - exact[place], place))
    for place in by_remainder[: all_cents - sum(cents)]:
        cents[place] += 1
    return cents


class Number(str):
    """A number of a JSON text, as it is written there."""

    __slots__ = ()


type Answer = tuple[dict[str, Reading], frozenset[str], bool, datetime | None]


def read_pages(pages: Sequence[tuple[int, str]], moment: Moment) -> Answer | None:
    """Read an answer: its good entries, the uids of bad ones, whether it has all it says it has, and `lastUpdated`.

    None: it is no feed.
    """
    entries: list[Any] = []
    metadata: dict[str, Any] = {}
    for status, body in pages:
        try:
            page = json.loads(body, parse_float=Number, parse_int=Number, parse_constant=Number)
        except ValueError:
            return None
        listed = _listed(page)
        if status != 200 or listed is None:
            return None
        entries += listed
        metadata |= page.get("metadata", {}) if isinstance(page, dict) else {}
    readings = [_reading(entry, moment) for entry in entries]
    uids = Counter(entry["uid"] for entry in entries if _has_uid(entry))
    good = {
        entry["uid"]: reading
        for entry, reading in zip(entries, readings, strict=True)
        if reading is not None and uids[entry["uid"]] == 1
    }
    if not entries or 2 * (len(entries) - len(good)) > len(entries):
        return None
    users, count = int(metadata.get("totalUsers", len(entries))), int(metadata.get("totalPages", 1))
    has_all = users == len(entries) and count <= len(pages)
    updated = metadata.get("lastUpdated")
    return (
        good,
        frozenset(uids) - frozenset(good),
        has_all,
        None if updated is None else datetime.fromisoformat(updated),
    )


def _listed(page: Any) -> list[Any] | None:
    """The entries of a page, in each of the shapes that the provider has had."""
    if isinstance(page, list):
        return page
    if not isinstance(page, dict) or page.get("success") is False:
        return None
    found = page.get("data", page.get("results"))
    if isinstance(found, dict):
        found = found.get("all_time", {}).get("data")
    return found if isinstance(found, list) else None


def _has_uid(entry: Any) -> bool:
    return isinstance(entry, dict) and type(entry.get("uid")) is str and entry["uid"] != ""


def _reading(entry: Any, moment: Moment) -> Reading | None:
    if not _has_uid(entry) or not isinstance(entry.get("wagered"), dict):
        return None
    wagered = entry["wagered"]
    figures = [_amount(wagered.get(name, None if name == "all_time" else Number(0))) for name in FIGURES]
    good = [figure for figure in figures if figure is not None]
    return Reading(moment, *good[:3]) if len(good) == len(FIGURES) else None


def _amount(given: object) -> Decimal | None:
    return _read_amount(given) if isinstance(given, str) and NUMBER.fullmatch(given) else None


@lru_cache(KEPT)
def _read_amount(text: str) -> Decimal | None:
    amount = Decimal(text)
    if not 0 <= amount < BAD_FROM:
        return None
    rounded = amount.quantize(STORED, ROUND_HALF_EVEN)
    return rounded if rounded < BAD_FROM else None
