"""One member whole, as staff see them: the fields, how much there is of theirs, and the last of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Numeric, Select, Text, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from goatedvips.domain import access, audit
from goatedvips.domain.access import Caller
from goatedvips.domain.members.search import BY_STAFF, LISTED, MEMBER_ID, THERE
from goatedvips.errors import NotFound
from goatedvips.models.accounts import account_links, users
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.operations import audit_log
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.schema import Instant
from goatedvips.models.tickets import support_tickets
from goatedvips.models.wheel import wheel_spins

LAST = 20
"""How many rows of each kind are shown with a member."""

# What is shown of a member beside their own row: whose rows, and what of them.
_ROWS: dict[str, Select[Any]] = {
    "spins": select(
        wheel_spins.c.id, wheel_spins.c.segment_index, wheel_spins.c.reward_code, wheel_spins.c.timestamp
    ).where(wheel_spins.c.user_id == MEMBER_ID),
    "claims": select(
        code_claims.c.id,
        code_claims.c.code_id,
        bonus_codes.c.code,
        bonus_codes.c.value,
        bonus_codes.c.currency,
        code_claims.c.claimed_at,
    )
    .join(bonus_codes, bonus_codes.c.id == code_claims.c.code_id)
    .where(code_claims.c.user_id == MEMBER_ID),
    "races": select(
        participants.c.id,
        participants.c.race_id,
        wager_races.c.title,
        wager_races.c.start_date,
        wager_races.c.end_date,
        participants.c.joined_at,
        participants.c.total_wager,
        participants.c.rank,
    )
    .join(wager_races, wager_races.c.id == participants.c.race_id)
    .where(participants.c.user_id == MEMBER_ID, participants.c.member_key.is_not(None)),
    "tickets": select(
        support_tickets.c.id,
        support_tickets.c.subject,
        support_tickets.c.status,
        support_tickets.c.priority,
        support_tickets.c.created_at,
        support_tickets.c.updated_at,
    ).where(support_tickets.c.user_id == MEMBER_ID),
    "rewards": select(
        rewards.c.id,
        rewards.c.source_type,
        rewards.c.source_id,
        rewards.c.amount,
        rewards.c.currency,
        rewards.c.created_at,
        rewards.c.fulfilled_at,
    ).where(rewards.c.user_id == MEMBER_ID),
    "links": select(
        account_links.c.id,
        account_links.c.uid,
        account_links.c.requested_at,
        account_links.c.decision,
        account_links.c.reason,
        account_links.c.decided_at,
        account_links.c.decided_by,
    ).where(account_links.c.user_id == MEMBER_ID),
    "audit": select(
        audit_log.c.id,
        audit_log.c.staff_id,
        audit_log.c.action,
        audit_log.c.subject_id,
        audit_log.c.before,
        audit_log.c.after,
        audit_log.c.request_id,
        audit_log.c.created_at,
    ).where(audit.about(MEMBER_ID)),
}
_COUNTED = tuple(name for name in _ROWS if name != "audit")
_FIRST, _LAST = (literal(instant.replace(tzinfo=UTC), Instant) for instant in (datetime.min, datetime.max))  # noqa: DTZ901


def _in_json(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What JSON has no exact form for, as text: amounts, and instants, the nearest where no calendar of ours has it."""
    if isinstance(column.type, Numeric):
        return cast(column, Text).label(column.key)
    if isinstance(column.type, Instant):
        nearest = case((column.is_not(None), func.least(func.greatest(column, _FIRST), _LAST)))
        return func.to_char(nearest, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"').label(column.key)
    return column


def _last(rows: Select[Any]) -> ColumnElement[Any]:
    """The last of the rows as a JSON array, newest first; null: there are none."""
    told = [_in_json(column) for column in rows.selected_columns]
    last = rows.with_only_columns(*told).order_by(rows.selected_columns.id.desc()).limit(LAST).subquery()
    each = func.to_jsonb(last.table_valued(), type_=JSONB)
    return select(func.jsonb_agg(aggregate_order_by(each, last.c.id.desc()), type_=JSONB)).scalar_subquery()


def _counted(rows: Select[Any]) -> ColumnElement[int]:
    return rows.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()


_details: Select[Any] = select(
    *LISTED,
    users.c.suspended_reason,
    users.c.bio,
    users.c.profile_color,
    users.c.hide_name,
    users.c.wager_today,
    users.c.wager_week,
    users.c.wager_month,
    *(_counted(_ROWS[name]).label(f"{name}_in_all") for name in _COUNTED),
    *(_last(rows).label(name) for name, rows in _ROWS.items()),
).where(BY_STAFF, users.c.id == MEMBER_ID, THERE)


def get(connection: Connection, caller: Caller, member_id: int, *, now: datetime) -> Mapping[str, object]:
    """One member whole: their fields, how much there is of theirs, and the last of it; never a hash or a token.

    Raises
    ------
    NotFound: or erased.
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one_or_none(connection, _details, caller, {"member_id": member_id}, now=now, staff=True)
    if row is None:
        raise NotFound
    told = row._asdict()
    told |= {name: told[name] or [] for name in _ROWS}
    return told | {"counts": {name: told[f"{name}_in_all"] for name in _COUNTED}}
