"""Feeds as the affiliate API answers them: those of a casino whose accounts wager as time goes by, and faulty ones.

The figures are binary doubles, as the real feed has them: with up to 19 decimals. Everything follows from a seed.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import NamedTuple

FIRST_JOIN = datetime(2025, 1, 1, tzinfo=UTC)
LAST_JOIN = datetime(2026, 11, 1, tzinfo=UTC)
"""By this instant every account is in the feed but the newcomers, who join in the 60 days after it."""
NEWCOMERS = 1 / 50
"""The proportion of newcomers among all accounts."""
ACTIVE = 1 / 10
"""The proportion of accounts that wager at all."""
TIED = 1 / 10
"""The proportion of these that are tied with another one, at any time."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_NAMES = ("lucky", "Ace", "высота", "大吉", "🎲 dice 🎲", "O'Neil; --", "<b>bold</b>", "naïve", "tab\tname")


class Shape(StrEnum):
    """The four shapes of an answer."""

    DATA = "data"
    RESULTS = "results"
    BARE = "bare"
    GROUPED = "grouped"


class Entry(NamedTuple):
    """An account in a feed, with what it has wagered."""

    uid: str
    name: str | None
    today: float
    week: float
    month: float
    total: float

    def as_json(self, *, texts: bool = False) -> dict[str, object]:
        """Return the entry as the API has it.

        Parameters
        ----------
        texts: whether figures are JSON strings rather than numbers.
        """
        figures = {"today": self.today, "this_week": self.week, "this_month": self.month, "all_time": self.total}
        numbers = {period: int(figure) if figure == int(figure) else figure for period, figure in figures.items()}
        wagered = {period: json.dumps(figure) for period, figure in numbers.items()} if texts else numbers
        return {"uid": self.uid, "name": self.name, "wagered": wagered}


@dataclass(frozen=True)
class _Account:
    uid: str
    name: str
    joined: datetime
    rate: float
    """What it wagers in an hour, on average; 0 for most."""

    def total(self, instant: datetime) -> float:
        """Return what it has wagered up to an instant: more by day than by night, and never less than before."""
        hours = max(0.0, (instant - self.joined) / timedelta(hours=1))
        return self.rate * (hours + 3.5 * math.sin(hours * math.tau / 24))  # its derivative is always positive


class Casino:
    """Accounts that wager. Its feed is a function of the instant at which it is asked.

    Nine of ten accounts have never wagered. Some accounts are tied exactly at any time, and the uids of two accounts
    may differ only in case. The order of entries is arbitrary, and another one for each casino.

    Parameters
    ----------
    size: the number of accounts, newcomers included.
    seed: of everything that is drawn.
    members: uid and name of accounts that must be among them, and wager.
    """

    def __init__(self, size: int, seed: int, members: Iterable[tuple[str, str]] = ()) -> None:
        random = Random(seed)  # noqa: S311 - whoever has the seed gets the same casino
        self._accounts = [_Account(uid, name, FIRST_JOIN, math.exp(random.gauss(3.0, 1.0))) for uid, name in members]
        self._wagering = list(self._accounts)
        uids = {account.uid for account in self._accounts}
        while len(self._accounts) < size:
            account = self._draw(random)
            if account.uid not in uids:
                uids.add(account.uid)
                self._accounts.append(account)
                self._wagering += [account] if account.rate else []
        random.shuffle(self._accounts)

    def _draw(self, random: Random) -> _Account:
        uid = "".join(random.choices(_LETTERS, k=20))
        if self._accounts and random.random() < 1 / 200:
            uid = self._accounts[-1].uid.swapcase()
        is_new = random.random() < NEWCOMERS
        joined = LAST_JOIN + random.random() * timedelta(days=60)
        if not is_new:
            joined = FIRST_JOIN + random.random() * (LAST_JOIN - FIRST_JOIN)
        rate = math.exp(random.gauss(2.0, 2.0)) if random.random() < ACTIVE else 0.0
        if rate and self._wagering and random.random() < TIED:
            other = random.choice(self._wagering)
            joined, rate = other.joined, other.rate
        return _Account(uid, _draw_name(random), joined, rate)

    def feed(self, instant: datetime) -> list[Entry]:
        """Return the entries of all accounts that have joined.

        Parameters
        ----------
        instant: aware. Days, weeks (from Monday) and months are those of UTC.
        """
        midnight = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        starts = (midnight, midnight - timedelta(days=midnight.weekday()), midnight.replace(day=1))
        return [_entry(account, instant, starts) for account in self._accounts if account.joined <= instant]


def _entry(account: _Account, instant: datetime, starts: Iterable[datetime]) -> Entry:
    if not account.rate:
        return Entry(account.uid, account.name, 0, 0, 0, 0)
    total = account.total(instant)
    today, week, month = (max(0.0, total - account.total(start)) for start in starts)
    return Entry(account.uid, account.name, today, week, month, total)


def _draw_name(random: Random) -> str:
    """Draw a name: a wallet address of 42 characters, a plain one, or an unusual one."""
    drawn = random.random()
    if drawn < 1 / 10:
        return f"0x{random.getrandbits(160):040x}"
    if drawn < 2 / 10:
        return f"{random.choice(_NAMES)} {random.randrange(1000)}"
    return f"player-{random.randrange(10**6):06d}"


def write(
    entries: Sequence[Entry],
    shape: Shape = Shape.DATA,
    *,
    texts: bool = False,
    metadata: dict[str, object] | None = None,
) -> str:
    """Return the body of an answer with these entries.

    Parameters
    ----------
    metadata: such as `totalUsers`, `totalPages` and `lastUpdated`; a bare array cannot have it.
    """
    rows = [entry.as_json(texts=texts) for entry in entries]
    more: dict[str, object] = {} if metadata is None else {"metadata": metadata}
    document: object = rows
    if shape is Shape.DATA:
        document = {"success": True, **more, "data": rows}
    elif shape is Shape.RESULTS:
        document = {**more, "results": rows}
    elif shape is Shape.GROUPED:
        document = {"status": "success", **more, "data": _group(entries, texts=texts)}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _group(entries: Iterable[Entry], *, texts: bool) -> dict[str, dict[str, list[dict[str, object]]]]:
    """Return the same entries once for each period, the largest figure first."""
    periods = {"today": 2, "weekly": 3, "monthly": 4, "all_time": 5}  # positions in an entry
    return {
        period: {"data": [e.as_json(texts=texts) for e in sorted(entries, key=lambda e: -float(e[place] or 0))]}
        for period, place in periods.items()
    }


def write_pages(entries: Sequence[Entry], size: int, shape: Shape = Shape.DATA) -> list[str]:
    """Return the bodies of pages of at most `size` entries; each says how many pages and entries there are."""
    starts = range(0, max(1, len(entries)), size)
    metadata: dict[str, object] = {"totalPages": len(starts), "totalUsers": len(entries)}
    return [write(entries[start : start + size], shape, metadata=metadata) for start in starts]


class Fault(StrEnum):
    """What can be wrong with the body of an answer."""

    UNSUCCESSFUL = "unsuccessful"
    NO_LIST = "no_list"
    HTML = "html"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    """The text ends in the midst of an entry."""
    MOSTLY_BAD = "mostly_bad"
    SOME_BAD = "some_bad"
    """One entry of ten is bad, in a way that is drawn for each."""
    SHRUNK = "shrunk"
    """Half of the entries are missing."""


def write_faulty(entries: Sequence[Entry], fault: Fault, seed: int) -> str:
    """Return a body that has the fault."""
    random = Random(seed)  # noqa: S311 - as for the casino
    match fault:
        case Fault.UNSUCCESSFUL:
            return '{"success":false,"message":"Something went wrong"}'
        case Fault.NO_LIST:
            return '{"success":true,"data":"none"}'
        case Fault.HTML:
            return "<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>"
        case Fault.EMPTY:
            return write([])
        case Fault.TRUNCATED:
            body = write(entries)
            return body[: random.randrange(1, len(body) - 1)]
        case Fault.SHRUNK:
            return write(random.sample(entries, len(entries) // 2))
        case Fault.MOSTLY_BAD | Fault.SOME_BAD:
            count = len(entries) // 2 + 1 if fault is Fault.MOSTLY_BAD else max(1, len(entries) // 10)
            bad = set(random.sample(range(len(entries)), count))
            return _write_bad(entries, bad, random)


def _write_bad(entries: Sequence[Entry], bad: set[int], random: Random) -> str:
    rows: list[object] = [_spoil(e.as_json(), random) if at in bad else e.as_json() for at, e in enumerate(entries)]
    # NaN, Infinity and 1e400 are not what `json.dumps` writes for a float.
    text = json.dumps({"success": True, "data": rows}, ensure_ascii=False, separators=(",", ":"))
    return text.replace('"\\u0000NaN"', "NaN").replace('"\\u0000Infinity"', "Infinity").replace('"\\u0000big"', "1e400")


def _spoil(entry: dict[str, object], random: Random) -> object:
    """Return the entry with one of the ways in which it can be bad."""
    uid, wagered = entry["uid"], entry["wagered"]
    assert isinstance(wagered, dict)  # noqa: S101 - for mypy
    values: list[object] = ["much", "-1", -0.00000001, "NaN", "1_000", 10**10, True, [], "\uff11"]
    values += ["\0NaN", "\0Infinity", "\0big"]  # `_write_bad` replaces these
    period = random.choice(["today", "this_week", "this_month", "all_time"])
    spoiled: list[object] = [entry | {"wagered": wagered | {period: value}} for value in values]
    spoiled += [entry | {"wagered": {k: v for k, v in wagered.items() if k != "all_time"}}]
    spoiled += [{"uid": uid}, entry | {"uid": None}, entry | {"uid": ""}, entry | {"wagered": None}, uid, None]
    return random.choice(spoiled)
