"""The affiliate's side of a simulated month: accounts that wager, and answers as whole or as faulty as real ones."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local.stand_ins.feeds import Entry, Fault, Shape, write, write_faulty, write_pages

IDLE = 0.5  # of accounts: they never wager
TWINS = 0.25  # of accounts: exactly as much as another one at any time
LATE = 0.08  # of accounts: the feed has them only from some moment of the month on
FALL_CHANCE = 0.0008  # of an account between two readings
ABSENCE_CHANCE = 0.002
NO_REQUEST, FAULTY, FAULTY_AT_BOUNDARY = 0.03, 0.35, 0.6  # of requests
PAGES = 3
SHAPES = {
    Shape.DATA: 5,
    Shape.RESULTS: 5,
    Shape.BARE: 5,
    Shape.GROUPED: 1,
}  # how often; the last one has all four times
TEXTS = 0.1  # of answers: their figures are texts
BROKEN = (Fault.UNSUCCESSFUL, Fault.NO_LIST, Fault.HTML, Fault.EMPTY, Fault.TRUNCATED, Fault.MOSTLY_BAD)
FAULTS = (
    "pages",
    "last page missing",
    "last page failed",
    "unavailable",
    "fewer than it says",
    "fewer",
    "a uid twice",
    "stale",
    "broken",
    Fault.SHRUNK,
    Fault.SOME_BAD,
)
NAMES = ("lucky", "0x" + "5a" * 20, "высота", "🎲 dice 🎲", "O'Neil; --", 'quoted "name"')

LONG_AGO = datetime.min.replace(tzinfo=UTC)

type Page = tuple[int, str]
"""Status and body of a page."""


@dataclass
class Account:
    """An account at the casino."""

    uid: str
    name: str
    pace: float  # its chance to wager between two readings
    since: datetime  # the feed has it from then on
    absent_until: datetime = LONG_AGO
    total: float = 0
    at_opening: list[float] = field(default_factory=lambda: [0.0] * 3)  # of the day, the week and the month

    def entry(self) -> Entry:
        """Its entry in the feed."""
        today, week, month = (max(0.0, self.total - opening) for opening in self.at_opening)
        return Entry(self.uid, self.name, today, week, month, self.total)


class Provider:
    """Accounts that wager, lose a part of their total now and then, and appear late or vanish for a while.

    Parameters
    ----------
    uids: of all accounts.
    start, end: of the time within which late accounts appear.
    """

    def __init__(self, chance: random.Random, uids: Sequence[str], start: datetime, end: datetime) -> None:
        self._chance, self._midnight = chance, LONG_AGO
        self.accounts: list[Account] = []
        self._twins: list[tuple[Account, Account]] = []
        for uid in uids:
            since = start + chance.random() * (end - start) if chance.random() < LATE else start - timedelta(days=9)
            account = Account(uid, chance.choice(NAMES), 0 if chance.random() < IDLE else chance.random() ** 2, since)
            account.total = 0 if chance.random() < IDLE else chance.expovariate(1 / 20_000)
            if self.accounts and chance.random() < TWINS:
                self._twins.append((account, self.accounts[-1]))
            self.accounts.append(account)

    def advance(self, now: datetime) -> None:
        """Let accounts wager up to an instant."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for account in self.accounts:
            if midnight > self._midnight:
                starts = (True, midnight.weekday() == 0, midnight.day == 1)
                for number in (number for number, is_start in enumerate(starts) if is_start):
                    account.at_opening[number] = account.total
            if self._chance.random() < account.pace:
                account.total += self._chance.choice([1, 10, 100]) * self._chance.expovariate(1)
                if self._chance.random() < FALL_CHANCE / account.pace:
                    account.total *= self._chance.random()
            if self._chance.random() < ABSENCE_CHANCE:
                account.absent_until = now + timedelta(hours=self._chance.randrange(1, 12))
        for account, other in self._twins:
            account.total, account.at_opening, account.since = other.total, other.at_opening, other.since
        self._midnight = midnight

    def answer(self, now: datetime, *, is_boundary: bool) -> list[Page] | None:
        """Answer a request. None: it was not even made."""
        chance = self._chance
        if chance.random() < NO_REQUEST:
            return None
        entries = [account.entry() for account in self.accounts if account.since <= now and account.absent_until <= now]
        chance.shuffle(entries)
        if chance.random() < (FAULTY_AT_BOUNDARY if is_boundary else FAULTY):
            return self._faulty(now, entries)
        metadata: dict[str, object] = {"totalUsers": len(entries), "lastUpdated": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
        given = {name: value for name, value in metadata.items() if chance.random() < 0.5}
        (shape,) = chance.choices(list(SHAPES), list(SHAPES.values()))
        return [(200, write(entries, shape, texts=chance.random() < TEXTS, metadata=given))]

    def _faulty(self, now: datetime, entries: Sequence[Entry]) -> list[Page]:
        chance, fault, seed = self._chance, self._chance.choice(FAULTS), self._chance.randrange(2**32)
        fewer, metadata = entries[: len(entries) * 9 // 10], {"totalUsers": len(entries)}
        pages = [(200, page) for page in write_pages(entries, -(-len(entries) // PAGES))]
        match fault:
            case "pages":  # no fault: they are all there
                return pages
            case "last page missing":
                return pages[:-1]
            case "last page failed":
                return [*pages[:-1], (502, pages[-1][1])]
            case "unavailable":
                return [(503, write(entries))]
            case "fewer than it says":
                return [(200, write(fewer, metadata={**metadata}))]
            case "fewer":  # more than the four fifths that make it whole
                return [(200, write(fewer))]
            case "a uid twice":
                return [(200, write([*entries, entries[0]], metadata={**metadata}))]
            case "stale":
                updated = now - timedelta(minutes=chance.choice([5, 30, 300]))
                return [(200, write(entries, metadata={"lastUpdated": f"{updated:%Y-%m-%dT%H:%M:%S+00:00}"}))]
            case "broken":
                return [(200, write_faulty(entries, chance.choice(BROKEN), seed))]
        return [(200, write_faulty(entries, Fault(fault), seed))]
