"""What staff change is written down in the statement that changes it."""

from sqlalchemy import CTE, bindparam, func, insert, literal, select

from goatedvips.domain.access import CALLER_ID, NOW
from goatedvips.models.operations import audit_log


def noted(action: str, changed: CTE) -> CTE:
    """The part of a statement that notes a change of the caller's, bound to `Caller.parameters`.

    Parameters
    ----------
    action: what was done, as in `issue_code`.
    changed: the part that did it: rows as they are now, with an `id`.
    """
    return (
        insert(audit_log)
        .from_select(
            ["staff_id", "action", "subject_id", "after", "request_id", "created_at"],
            select(
                CALLER_ID,
                literal(action),
                changed.c.id,
                func.to_jsonb(changed.table_valued()),
                bindparam("caller_request_id", type_=audit_log.c.request_id.type),
                NOW,
            ),
        )
        .cte("noted")
    )
