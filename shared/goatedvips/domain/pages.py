"""Lists in pages: each starts behind the last item of the one before (keyset), so nothing is counted or skipped over."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from goatedvips.errors import ValidationFailed

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
    if len(found) != len(start):
        raise ValidationFailed(errors=[{"pointer": "/cursor", "detail": "must be a next_cursor of this list"}])
    return found


def page(rows: Sequence[Row[Any]], limit: int, key: Callable[[Row[Any]], tuple[int, ...]]) -> Page[Row[Any]]:
    """The page that these rows make, of which one more than `limit` was asked for to see whether others follow.

    Parameters
    ----------
    key: an item's sort key, as `position` will return it.
    """
    items = rows[:limit]
    if len(rows) <= limit:
        return Page(items, None)
    text = ",".join(map(str, key(items[-1])))
    return Page(items, base64.urlsafe_b64encode(text.encode()).decode())
