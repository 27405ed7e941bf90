"""The ledger: the only place where rewards are granted. A row is never updated or deleted."""

from typing import Any, Literal

from sqlalchemy import CTE, ColumnElement, Select, case, insert, literal, select

from goatedvips.domain.access import NOW
from goatedvips.models.rewards import payout_items, payouts, rewards

type Source = Literal["spin", "code", "race", "tier", "grant", "correction"]
"""What a value is granted for: the win of a spin, a code that staff issued, a race's prize, a tier that was reached, a
grant by staff, or a correction, which takes a value back. The row of a spin or a code is written when it is claimed."""
type State = Literal["open", "in_payout", "paid"]

WITH_PAYOUT = rewards.outerjoin(payout_items, payout_items.c.reward_id == rewards.c.id).outerjoin(
    payouts, payouts.c.id == payout_items.c.payout_id
)
"""The ledger with the payout of each row, if it has one."""
IS_PAID = payouts.c.reference.is_not(None)
STATE = case((IS_PAID, "paid"), (payouts.c.id.is_not(None), "in_payout"), else_="open").label("state")
"""The `State` of a row of `WITH_PAYOUT`."""


def granted(source: Source | ColumnElement[str], rows: Select[Any]) -> tuple[CTE, ...]:
    """Return the inserts that write one ledger row for each of `rows`, and return the rows' ids.

    The caller adds them to its statement (`.add_cte(*granted(…))`), which is bound to `now`.

    Parameters
    ----------
    source: what the value is granted for: the same for all rows, or a `Source` for each.
    rows: a select with `user_id`, the member; `source_id`, the id of the row that it is granted for; `amount`, in
        `currency`; and optionally `currency` (absent: USD).
    """
    name = source if isinstance(source, str) else "each"
    given = rows.add_columns((literal(source) if isinstance(source, str) else source).label("source_type")).subquery(
        f"{name}_rewards"
    )
    values = {column.key: column for column in given.c} | {"created_at": NOW}
    written = insert(rewards).from_select([*values], select(*values.values())).returning(rewards.c.id)
    return (written.cte(f"grant_{name}"),)
