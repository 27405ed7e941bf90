"""What staff change is written down in the statement that changes it."""

from typing import Any

from sqlalchemy import CTE, Column, ColumnElement, bindparam, column, func, insert, literal, null, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain.access import CALLER_ID, NOW
from goatedvips.models.accounts import account_links, users
from goatedvips.models.codes import bonus_codes
from goatedvips.models.operations import audit_log

ABOUT_MEMBERS: dict[str, Column[Any]] = {
    "update_member": users.c.id,
    "decide_link": account_links.c.user_id,
    "issue_code": bonus_codes.c.user_id,
    "revoke_code": bonus_codes.c.user_id,
}
"""The actions that are about a member, each with the column that says whom its subject is, or belongs to.

The database's function redact_audit_log knows them too.
"""
ABOUT_NO_MEMBER = frozenset({"create_race"})


def about(member_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether an entry is about the member, whoever made it."""
    return or_(
        *((audit_log.c.action == action) & _is_theirs(whose, member_id) for action, whose in ABOUT_MEMBERS.items())
    )


def _is_theirs(whose: Column[Any], member_id: ColumnElement[Any]) -> ColumnElement[bool]:
    theirs = select(whose.table.c.id).where(whose == member_id)
    # As an array, which an index serves in spite of the OR.
    return audit_log.c.subject_id == func.any(func.array(theirs.scalar_subquery()))


def noted(action: str, changed: CTE, before: CTE | None = None) -> CTE:
    """The part of a statement that notes a change of the caller's, bound to `Caller.parameters`.

    Parameters
    ----------
    action: what was done, as in `issue_code`.
    changed: the part that did it: rows as they are now, with an `id`.
    before: the same columns as they were, where there was a row: then only what differs is noted, of both.
    """
    is_now: ColumnElement[Any] = func.to_jsonb(changed.table_valued(), type_=JSONB)
    was: ColumnElement[Any] = null()
    request_id = bindparam("caller_request_id", type_=audit_log.c.request_id.type)
    rows = select(CALLER_ID, literal(action), changed.c.id, request_id, NOW)
    if before is not None:
        rows = rows.join(before, before.c.id == changed.c.id)
        was = func.to_jsonb(before.table_valued(), type_=JSONB)
        was, is_now = _what_differs(was, is_now), _what_differs(is_now, was)
    return (
        insert(audit_log)
        .from_select(
            ["staff_id", "action", "subject_id", "request_id", "created_at", "before", "after"],
            rows.add_columns(was, is_now),
        )
        .cte("noted")
    )


def _what_differs(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """The members of one JSON object that are not the same in the other."""
    members = func.jsonb_each(one).table_valued(column("key"), column("value", JSONB))
    differs = members.c.value.is_distinct_from(other.op("->")(members.c.key))
    told = select(func.jsonb_object_agg(members.c.key, members.c.value)).where(differs)
    return told.correlate_except(members).scalar_subquery()
