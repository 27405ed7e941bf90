"""Lists: what a page is asked with, and what it looks like."""

import re
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from goatedvips.validators.fields import AnswerBody

_LIMIT = re.compile(r"[0-9]{1,3}")


def _limit(value: object) -> object:
    if isinstance(value, str) and not _LIMIT.fullmatch(value):
        raise ValueError("must be a whole number from 1 to 100")
    return value


type Limit = Annotated[int, Query(ge=1, le=100), BeforeValidator(_limit)]
"""How many items a page has at most."""

type Cursor = Annotated[str | None, Query(max_length=100)]
"""Where the page starts: the `next_cursor` of the page before; absent: at the beginning."""


class Page[Item](AnswerBody):
    """A page of a list; `next_cursor` is null on the last one."""

    items: list[Item]
    """At most `limit`."""
    next_cursor: str | None
    """The next page's `cursor`; null: there is none."""
