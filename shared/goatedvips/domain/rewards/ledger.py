"""The ledger: the only place where rewards are granted. A row is never updated or deleted."""

from typing import Any, Literal

from sqlalchemy import CTE, Select, insert, literal, select

from goatedvips.domain.access import NOW
from goatedvips.models.rewards import rewards

type Source = Literal["spin", "code"]


def granted(source: Source, rows: Select[Any]) -> tuple[CTE, ...]:
    """Return the inserts that write one ledger row for each of `rows`.

    The caller adds them to its statement (`.add_cte(*granted(…))`), which is bound to `now`.

    Parameters
    ----------
    source: what the value is granted for.
    rows: a select with `user_id`, the member; `source_id`, the id of the spin or code; `amount`, in `currency`; and
        optionally `currency` (absent: USD).
    """
    given = rows.subquery(f"{source}_rewards")
    values = {column.key: column for column in given.c} | {"source_type": literal(source), "created_at": NOW}
    return (insert(rewards).from_select([*values], select(*values.values())).cte(f"grant_{source}"),)
