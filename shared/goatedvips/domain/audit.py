"""The audit log: every change by staff is recorded by the statement that makes it."""

from typing import Any

from sqlalchemy import CTE, Column, ColumnElement, bindparam, column, func, insert, literal, null, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain.access import CALLER_ID, NOW
from goatedvips.models.accounts import account_links, users
from goatedvips.models.codes import bonus_codes, code_batches
from goatedvips.models.operations import audit_log
from goatedvips.models.races import wager_race_participants
from goatedvips.models.rewards import payouts, reward_grants
from goatedvips.models.tickets import support_tickets
from goatedvips.models.wagers import wager_accounts

ABOUT_MEMBERS: dict[str, Column[Any]] = {
    "update_member": users.c.id,
    "decide_link": account_links.c.user_id,
    "issue_code": bonus_codes.c.user_id,
    "revoke_code": bonus_codes.c.user_id,
    "issue_batch": code_batches.c.user_id,
    "revoke_batch": code_batches.c.user_id,
    "grant_reward": reward_grants.c.user_id,
    "reference_payout": payouts.c.user_id,
    "withdraw_payout": users.c.id,
    "triage_ticket": support_tickets.c.user_id,
    "close_ticket": support_tickets.c.user_id,
    "update_participant": wager_race_participants.c.user_id,
    "accept_fall": wager_accounts.c.user_id,
}
"""The actions that concern a member, each with the column that identifies the member of its subject.

The SQL function redact_audit_log has the same list.
"""
ABOUT_NO_MEMBER = frozenset(
    {
        "accept_feed",
        "cancel_race",
        "create_campaign",
        "create_payouts",
        "create_race",
        "publish_tiers",
        "publish_wheel",
        "release_shell_uid",
        "settle_race",
        "update_campaign",
        "update_race",
    }
)
"""The other actions."""


def about(member_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether an entry concerns the member, whoever made the change."""
    return or_(
        *((audit_log.c.action == action) & _subject_is_of(owner, member_id) for action, owner in ABOUT_MEMBERS.items())
    )


def _subject_is_of(owner: Column[Any], member_id: ColumnElement[Any]) -> ColumnElement[bool]:
    subjects = select(owner.table.c.id).where(owner == member_id)
    # = ANY (array) instead of IN (subquery): PostgreSQL then uses the index although this condition stands in an OR.
    return audit_log.c.subject_id == func.any(func.array(subjects.scalar_subquery()))


def recorded(action: str, changed: CTE, before: CTE | None = None) -> CTE:
    """Return the CTE that records a change by the caller, bound to `Caller.parameters`.

    Parameters
    ----------
    action: what was done, such as `issue_code`.
    changed: the CTE that makes the change: rows with their new values and an `id`.
    before: rows with the same columns and the old values. Only columns that differ are recorded then. None: the rows
        are
        new.
    """
    after: ColumnElement[Any] = func.to_jsonb(changed.table_valued(), type_=JSONB)
    old: ColumnElement[Any] = null()
    request_id = bindparam("caller_request_id", type_=audit_log.c.request_id.type)
    rows = select(CALLER_ID, literal(action), changed.c.id, request_id, NOW)
    if before is not None:
        rows = rows.join(before, before.c.id == changed.c.id)
        old = func.to_jsonb(before.table_valued(), type_=JSONB)
        old, after = _differing(old, after), _differing(after, old)
    return (
        insert(audit_log)
        .from_select(
            ["staff_id", "action", "subject_id", "request_id", "created_at", "before", "after"],
            rows.add_columns(old, after),
        )
        .cte("audit_entries")
    )


def _differing(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a JSON object with the entries of one object that differ in the other."""
    entries = func.jsonb_each(one).table_valued(column("key"), column("value", JSONB))
    is_different = entries.c.value.is_distinct_from(other.op("->")(entries.c.key))
    differing = select(func.jsonb_object_agg(entries.c.key, entries.c.value)).where(is_different)
    return differing.correlate_except(entries).scalar_subquery()
