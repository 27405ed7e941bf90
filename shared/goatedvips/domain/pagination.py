"""Lists in pages: each starts behind the last item of the one before (keyset), so nothing is counted or skipped."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from goatedvips.errors import ValidationFailed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POSITION = re.compile(r"-?[0-9]{1,18}(,-?[0-9]{1,18})*")


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """A page of a list; no cursor: the last one."""

    items: Sequence[Item]
    next_cursor: str | None


def position(cursor: str | None, *start: int) -> tuple[int, ...]:
    """Where a page starts: the sort key of the last item seen.

    Parameters
    ----------
    cursor: as a page gave it; none: the list's beginning.
    start: a sort key before all items.

    Raises
    ------
    ValidationFailed: no page gave this cursor.
    """
    if cursor is None:
        return start
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
    except (binascii.Error, UnicodeError):
        text = ""
    found = tuple(int(part) for part in text.split(",")) if _POSITION.fullmatch(text) else ()
    if len(found) != len(start) or _cursor(found) != cursor:
        raise _unknown()
    return found


def _cursor(key: tuple[int, ...]) -> str:
    return base64.urlsafe_b64encode(",".join(map(str, key)).encode()).decode()


def microseconds(instant: datetime) -> int:
    """An instant as a part of a sort key: microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(microseconds: int) -> datetime:
    """The instant that a position names by its microseconds since 1970.

    Raises
    ------
    ValidationFailed: no calendar has it, so no page gave this cursor.
    """
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise _unknown() from None


def _unknown() -> ValidationFailed:
    return ValidationFailed(errors=[{"pointer": "/cursor", "detail": "must be a next_cursor of this list"}])


def page[Item](found: Sequence[Item], limit: int, key: Callable[[Item], tuple[int, ...]]) -> Page[Item]:
    """The page that these items make, of which one more than `limit` was asked for to see whether others follow.

    Parameters
    ----------
    key: an item's sort key, as `position` will return it.
    """
    items = found[:limit]
    if len(found) <= limit:
        return Page(items, None)
    return Page(items, _cursor(key(items[-1])))
