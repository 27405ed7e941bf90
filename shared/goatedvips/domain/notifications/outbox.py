"""The outbox: the only place where notifications are queued. `sending` takes them from there.

Rows are inserted by the statement whose effect they report, so they commit with it or not at all.
"""

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, case, insert, literal, select

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.models.notifications import outbox

WAITING = and_(outbox.c.sent_at.is_(None), outbox.c.failed_at.is_(None), outbox.c.dropped_at.is_(None))
"""A row that still waits to be sent, now or when it is due. The index `outbox_turn_idx` holds these rows only."""

_OPTIONAL = {"user_id": "user_id", "email": "address", "payload": "payload", "dropped_reason": "dropped_reason"}


def queued(kind: str, rows: Select[Any]) -> tuple[CTE, ...]:
    """Return the inserts that queue one notification for each of `rows`.

    The caller adds them to its statement (`.add_cte(*queued(…))`), which is bound to `now`.

    Parameters
    ----------
    kind: a name in `KINDS`.
    rows: a select with any of these columns: `user_id`, the member; `email`, the recipient (null or absent: the staff);
        `payload`, JSON; `due_at`, when it may be sent at the earliest (absent: at once); `dropped_reason`, if it is not
        null, writes a row that is never sent.

    Raises
    ------
    LookupError: the kind is unknown, or a column is none of these.
    """
    definition = KINDS[kind]
    source = rows.subquery(f"{definition.name}_rows")
    if unknown := set(source.c.keys()) - {*_OPTIONAL, "due_at"}:
        raise LookupError(f"the outbox has no {', '.join(sorted(unknown))}")
    given = {column: source.c[name] for name, column in _OPTIONAL.items() if name in source.c}
    values: dict[str, ColumnElement[Any]] = given | {
        "kind": literal(definition.name),
        "priority": literal(definition.priority.value, outbox.c.priority.type),
        "created_at": NOW,
        "due_at": source.c.get("due_at", NOW),
    }
    if "dropped_reason" in source.c:
        values["dropped_at"] = case((source.c.dropped_reason.is_not(None), NOW))
    return (insert(outbox).from_select([*values], select(*values.values())).cte(f"queue_{definition.name}"),)
