"""The affiliate feed: what each account of the casino has wagered, read from the answer's text.

An answer has one of four shapes: `{"success": true, "data": […]}`, `{"results": […]}`, a bare array, and
`{"data": {"all_time": {"data": […]}, …}}`, whose lists hold the same entries, each in another order. An entry is
`{"uid", "name", "wagered": {"today", "this_week", "this_month", "all_time"}}`, with numbers or texts as figures.

The text is not trusted: whatever it holds, `parse_feed` returns a feed.
"""

import gc
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import NamedTuple

from goatedvips.domain.wagers.feed_figures import ZERO, read_decimal, read_figure, read_int

LONGEST_UID = 500
"""Characters; with 4 bytes each it still fits into an entry of a B-tree index (2,704 bytes)."""
LARGEST_COUNT = 2**31 - 1

_ZEROS = (ZERO,) * 4
_FIGURES, _ENTRY, _BAD_ENTRY = 4, 3, 1  # lengths of the tuples that `_compact` makes
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL stores neither NUL nor lone surrogates


class FeedProblem(StrEnum):
    """Why answers are no feed, or a feed that is not whole."""

    BAD_STATUS = "bad_status"
    """The HTTP status of a page is not 2xx."""
    NOT_JSON = "not_json"
    """The body of a page is not JSON, such as HTML."""
    NOT_SUCCESSFUL = "not_successful"
    """A page says `"success": false`."""
    NO_LIST = "no_list"
    """A page has none of the four shapes."""
    EMPTY = "empty"
    """There is no entry at all."""
    MOSTLY_BAD = "mostly_bad"
    """More than half of the entries are bad."""
    PAGES_MISSING = "pages_missing"
    """There are fewer pages than `metadata.totalPages` says."""
    COUNT_DIFFERS = "count_differs"
    """There are more or fewer entries than `metadata.totalUsers` says."""
    UIDS_MISSING = "uids_missing"
    """Too few uids of the last whole feed are there."""

    @property
    def is_no_feed(self) -> bool:
        """Whether nothing at all may be read from the answers; otherwise they are a feed that is not whole."""
        return self not in {FeedProblem.PAGES_MISSING, FeedProblem.COUNT_DIFFERS, FeedProblem.UIDS_MISSING}


class FeedPage(NamedTuple):
    """One answer of the affiliate API."""

    page: int
    """Its number, from 1 on."""
    status: int
    """Its HTTP status."""
    body: str
    """Its text, as it came."""


@dataclass
class Feed:
    """The entries of a feed that are not bad, as columns of equal length, in the order of the feed."""

    uids: list[str] = field(default_factory=list)
    """Each occurs once. Case matters."""
    names: list[str | None] = field(default_factory=list)
    """What PostgreSQL cannot store is replaced by U+FFFD."""
    totals: list[Decimal] = field(default_factory=list)
    """The lifetime totals, `all_time`. Figures are at least 0 and below `feed_figures.LIMIT`, with at most 8 places."""
    today: list[Decimal] = field(default_factory=list)
    week: list[Decimal] = field(default_factory=list)
    month: list[Decimal] = field(default_factory=list)
    bad_uids: set[str] = field(default_factory=set)
    """The uids of bad entries, as far as they can be read."""
    bad_count: int = 0
    entry_count: int = 0
    """All entries, bad ones included."""
    total_users: int | None = None
    """`metadata.totalUsers`, the number of entries that there should be."""
    last_updated: datetime | None = None
    """`metadata.lastUpdated`, aware, in UTC; the earliest one of all pages."""
    problem: FeedProblem | None = None
    """None: as far as the answers show it by themselves, the feed is whole. No feed has no entries in its columns."""


class _Unreadable(Exception):
    """A page from which nothing can be read; its argument is the problem."""

    def __init__(self, problem: FeedProblem) -> None:
        super().__init__(problem)
        self.problem = problem


@contextmanager
def _without_collections() -> Iterator[None]:
    """Stop the garbage collector: it would go through all entries again and again, and they make no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collections()
def parse_feed(pages: Iterable[FeedPage]) -> Feed:
    """Read a feed from the pages of one answer.

    Figures are exact decimals, rounded half-even to 8 places; a missing or null period figure is 0. An entry is bad if
    it has no readable uid, no `all_time`, a figure that is no number, negative, NaN, infinite, or 10¹⁰ or more, or if
    its uid occurs twice: then all its occurrences are bad, so that their order does not matter.

    It raises nothing, whatever the pages hold.

    Parameters
    ----------
    pages: in any order. Each body is needed only while it is read, so that a generator saves memory.
    """
    feed = Feed()
    try:
        entries, is_complete = _read_pages(feed, pages)
    except _Unreadable as error:
        feed.problem = error.problem
        return feed
    _fill(feed, entries)
    if not entries:
        feed.problem = FeedProblem.EMPTY
    elif 2 * feed.bad_count > feed.entry_count:
        feed.problem = FeedProblem.MOSTLY_BAD
        for column in (feed.uids, feed.names, feed.totals, feed.today, feed.week, feed.month):
            column.clear()
    elif not is_complete:
        feed.problem = FeedProblem.PAGES_MISSING
    elif feed.total_users not in (None, feed.entry_count):
        feed.problem = FeedProblem.COUNT_DIFFERS
    return feed


def _read_pages(feed: Feed, pages: Iterable[FeedPage]) -> tuple[list[object], bool]:
    """Read the metadata into the feed; return all entries as `_compact` makes them, and whether no page is missing.

    At its end no page is referred to any more: the text of the last one is as large as all its entries.
    """
    entries: list[object] = []
    read, wanted = set(), 1
    for page in pages:
        metadata, found = _read_page(page)
        entries += found
        read.add(page.page)
        wanted = max(wanted, _count(metadata.get("totalPages")) or 0)
        feed.total_users = _count(metadata.get("totalUsers")) if "totalUsers" in metadata else feed.total_users
        updated = _instant(metadata.get("lastUpdated"))
        feed.last_updated = min(filter(None, (feed.last_updated, updated)), default=None)
    return entries, len(read) >= wanted


def read_total_pages(body: str) -> int:
    """Return how many pages there are by the body of one of them; 1 if it does not say it."""
    try:
        return max(1, _count(_read_metadata(_load(body)).get("totalPages")) or 1)
    except _Unreadable:
        return 1


def _read_page(page: FeedPage) -> tuple[dict[str, object], list[object]]:
    """Return the metadata of a page, and its entries as `_compact` makes them."""
    if not 200 <= page.status < 300:  # noqa: PLR2004 - the statuses of success
        raise _Unreadable(FeedProblem.BAD_STATUS)
    document = _load(page.body)
    entries = document
    if isinstance(document, dict):
        if not document.get("success", True):
            raise _Unreadable(FeedProblem.NOT_SUCCESSFUL)
        entries = document.get("data", document.get("results"))
        if isinstance(entries, dict):  # grouped by period
            all_time = entries.get("all_time")
            entries = all_time.get("data") if isinstance(all_time, dict) else None
    if not isinstance(entries, list):
        raise _Unreadable(FeedProblem.NO_LIST)
    return _read_metadata(document), entries


def _read_metadata(document: object) -> dict[str, object]:
    metadata = document.get("metadata") if isinstance(document, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _load(body: str) -> object:
    """Parse a body; entries become small tuples while it is parsed, so that the whole document is never in memory."""
    try:
        return _parse(body)
    except RecursionError as error:
        raise _Unreadable(FeedProblem.NOT_JSON) from error


def _parse(body: str) -> object:
    try:
        return json.loads(body, object_hook=_compact, parse_float=Decimal, parse_constant=str)
    except json.JSONDecodeError as error:
        raise _Unreadable(FeedProblem.NOT_JSON) from error
    except (ValueError, InvalidOperation):  # a number that has too many digits, or too large an exponent
        return json.loads(body, object_hook=_compact, parse_float=read_decimal, parse_int=read_int, parse_constant=str)


def _compact(document: dict[str, object]) -> object:
    """Turn an object of the JSON text into what is needed of it.

    Nothing else is a tuple: one of four values are the figures of an entry, one of three is an entry that is not bad
    (uid, name, figures), one of one is the uid of a bad entry. Most figures are 0, and all of those share one tuple.
    """
    if "uid" in document:
        uid, figures = document["uid"], document.get("wagered")
        if type(figures) is tuple and len(figures) == _FIGURES and type(uid) is str and 0 < len(uid) <= LONGEST_UID:
            return uid, document.get("name"), figures
        return (uid,)
    if "all_time" not in document:
        return document
    total, today = document["all_time"], document.get("today")
    week, month = document.get("this_week"), document.get("this_month")
    if today is week is month and type(month) is int and not month:  # CPython has one object for 0
        if total is month:
            return _ZEROS
        total = read_figure(total, None)
        return total if total is None else (total, ZERO, ZERO, ZERO)
    if isinstance(total, dict):  # the feed's lists, grouped by period
        return document
    figures = (read_figure(total, None), read_figure(today, ZERO), read_figure(week, ZERO), read_figure(month, ZERO))
    return None if None in figures else figures


def _fill(feed: Feed, entries: list[object]) -> None:
    """Put entries into the columns, and count the bad ones."""
    good = [entry for entry in entries if type(entry) is tuple and len(entry) == _ENTRY]
    if len(good) < len(entries):
        bad = (entry[0] for entry in entries if type(entry) is tuple and len(entry) == _BAD_ENTRY)
        feed.bad_uids = {uid for uid in bad if isinstance(uid, str) and _is_readable(uid)}
    feed.uids = [entry[0] for entry in good]
    repeated = len(feed.uids) != len(set(feed.uids)) or not feed.bad_uids.isdisjoint(feed.uids)
    if repeated or not _is_storable("".join(feed.uids)):
        counts = Counter(feed.uids)
        feed.bad_uids |= {uid for uid, count in counts.items() if count > 1 and _is_readable(uid)}
        good = [entry for entry in good if _is_readable(entry[0]) and entry[0] not in feed.bad_uids]
        feed.uids = [entry[0] for entry in good]
    feed.names = [entry[1] if type(entry[1]) is str else None for entry in good]
    if not _is_storable("".join(filter(None, feed.names))):
        feed.names = [name and _UNSTORABLE.sub("\ufffd", name) for name in feed.names]
    figures = [entry[2] for entry in good]
    feed.totals, feed.today, feed.week, feed.month = ([four[i] for four in figures] for i in range(_FIGURES))
    feed.entry_count = len(entries)
    feed.bad_count = len(entries) - len(good)


def _is_readable(uid: str) -> bool:
    return 0 < len(uid) <= LONGEST_UID and _is_storable(uid)


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL stores the text: it has no NUL and no lone surrogate."""
    return "\0" not in text and (text.isascii() or not _UNSTORABLE.search(text))


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= LARGEST_COUNT else None


def _instant(value: object) -> datetime | None:
    """Return an instant of ISO 8601, which is UTC where it has no offset; None for anything else."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        return instant and (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
