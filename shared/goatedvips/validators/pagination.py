"""Query parameters and answers of lists."""

import re
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from goatedvips.validators.fields import AnswerBody

_LIMIT = re.compile(r"[0-9]{1,3}")


def _limit(value: object) -> object:
    if isinstance(value, str) and not _LIMIT.fullmatch(value):
        raise ValueError("must be a whole number from 1 to 100")
    return value


type Limit = Annotated[int, Query(ge=1, le=100), BeforeValidator(_limit)]
"""The largest number of items on the page."""

type Cursor = Annotated[str | None, Query(max_length=8000)]
"""The `next_cursor` of the previous page; absent for the first page."""


type Format = Annotated[Literal["json", "csv"], Query()]
"""`csv` answers a page of at most 20,000 rows, whatever `limit` is; its header `Link` leads to the next page."""


class Page[Item](AnswerBody):
    """A page of a list."""

    items: list[Item]
    """The items of the page, at most `limit`."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last page."""
