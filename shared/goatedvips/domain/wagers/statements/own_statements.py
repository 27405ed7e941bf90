"""The monthly statements of a member."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, select

from goatedvips.domain import pagination
from goatedvips.domain.access import CALLER_ID, Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.models.wagers import statements


@dataclass(frozen=True, slots=True)
class Statement:
    """What a member did in a month.

    Parameters
    ----------
    month: its first instant.
    wagered: by how much the highest lifetime totals of the member's casino accounts rose, in US dollars.
    spins: the number of days with a spin.
    claims: the number of codes.
    rewards: the sum of what was granted and taken back, in US dollars.
    races: those that were settled: `race_id`, `title`, `rank` and `prize`.
    tier: when the statement was written.
    """

    month: datetime
    wagered: Decimal
    spins: int
    claims: int
    rewards: Decimal
    races: Sequence[dict[str, Any]]
    tier: str | None
    created_at: datetime


_BY_MONTH = Keyset(statements.c.month, list_name="statements")
_select_own: Select[Any] = _BY_MONTH.page_of(
    select(*(statements.c[name] for name in Statement.__dataclass_fields__)).where(statements.c.user_id == CALLER_ID)
)


def newest_of_caller(
    connection: Connection, caller: Caller, *, limit: int, cursor: str | None
) -> pagination.Page[Statement]:
    """Return a page of the member's statements, the newest month first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    return pagination.newest(
        connection,
        _select_own,
        {"caller_id": caller.user_id},
        lambda row: Statement(**row._mapping),
        by=_BY_MONTH,
        limit=limit,
        cursor=cursor,
    )
