"""One member as staff see them: all fields, how many records there are of each kind, and the last ones."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Numeric, Select, Text, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from goatedvips.domain import access, audit
from goatedvips.domain.access import Caller
from goatedvips.domain.members.search import CALLER_IS_STAFF, MEMBER_COLUMNS, MEMBER_ID, NOT_ERASED
from goatedvips.domain.rewards.ledger import WITH_PAYOUT
from goatedvips.domain.rewards.lists import REWARD_COLUMNS
from goatedvips.errors import NotFound
from goatedvips.models.accounts import account_links, users
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import audit_log
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.schema import Instant
from goatedvips.models.tickets import support_tickets
from goatedvips.models.wheel import wheel_spins

LAST = 20
"""How many records of each kind are returned with a member."""

# The member's records of each kind.
_RECORDS: dict[str, Select[Any]] = {
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
    "rewards": select(*REWARD_COLUMNS).select_from(WITH_PAYOUT).where(rewards.c.user_id == MEMBER_ID),
    "links": select(
        account_links.c.id,
        account_links.c.uid,
        account_links.c.requested_at,
        account_links.c.decision,
        account_links.c.reason,
        account_links.c.decided_at,
        account_links.c.decided_by,
    ).where(account_links.c.user_id == MEMBER_ID),
    "notifications": select(
        outbox.c.id,
        outbox.c.kind,
        outbox.c.channel,
        outbox.c.address.label("email"),
        outbox.c.created_at,
        outbox.c.due_at,
        outbox.c.sent_at,
        outbox.c.failed_at,
        outbox.c.dropped_at,
        outbox.c.dropped_reason,
        outbox.c.bounced_at,
        outbox.c.complained_at,
    ).where(outbox.c.user_id == MEMBER_ID),
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
_COUNTED_KINDS = tuple(name for name in _RECORDS if name not in {"audit", "notifications"})
_MIN_INSTANT = literal(datetime.min.replace(tzinfo=UTC), Instant)
_MAX_INSTANT = literal(datetime.max.replace(tzinfo=UTC), Instant)


def _json_value(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column as text if JSON has no exact form for it: amounts, and instants, within Python's range."""
    if isinstance(column.type, Numeric):
        return cast(column, Text).label(column.key)
    if isinstance(column.type, Instant):
        nearest = case((column.is_not(None), func.least(func.greatest(column, _MIN_INSTANT), _MAX_INSTANT)))
        return func.to_char(nearest, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"').label(column.key)
    return column


def _last_rows(rows: Select[Any]) -> ColumnElement[Any]:
    """The last `LAST` rows as a JSON array, newest first; null if there are none."""
    values = [_json_value(column) for column in rows.selected_columns]
    last = rows.with_only_columns(*values).order_by(rows.selected_columns.id.desc()).limit(LAST).subquery()
    each = func.to_jsonb(last.table_valued(), type_=JSONB)
    return select(func.jsonb_agg(aggregate_order_by(each, last.c.id.desc()), type_=JSONB)).scalar_subquery()


def _count(rows: Select[Any]) -> ColumnElement[int]:
    return rows.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()


_select_details: Select[Any] = select(
    *MEMBER_COLUMNS,
    users.c.suspended_reason,
    users.c.bio,
    users.c.profile_color,
    users.c.hide_name,
    users.c.wager_today,
    users.c.wager_week,
    users.c.wager_month,
    *(_count(_RECORDS[name]).label(f"{name}_count") for name in _COUNTED_KINDS),
    *(_last_rows(rows).label(name) for name, rows in _RECORDS.items()),
).where(CALLER_IS_STAFF, users.c.id == MEMBER_ID, NOT_ERASED)


def read_details(connection: Connection, caller: Caller, member_id: int, *, now: datetime) -> Mapping[str, object]:
    """Return one member: all fields except secrets, the number of records of each kind, and the last ones.

    Raises
    ------
    NotFound: there is no such member, or they are erased.
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one_or_none(connection, _select_details, caller, {"member_id": member_id}, now=now, staff=True)
    if row is None:
        raise NotFound
    details = row._asdict()
    details |= {name: details[name] or [] for name in _RECORDS}
    return details | {"counts": {name: details[f"{name}_count"] for name in _COUNTED_KINDS}}
