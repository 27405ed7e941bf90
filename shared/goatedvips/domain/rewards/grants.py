"""Staff grant a member a value, or take one back: a grant or a correction is a row of the ledger of its own."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, Text, bindparam, case, insert, literal, null, select, true

from goatedvips.domain import access, audit
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.rewards.ledger import granted
from goatedvips.domain.rewards.lists import Reward
from goatedvips.errors import OwnRights, ValidationFailed
from goatedvips.models.accounts import users
from goatedvips.models.rewards import reward_grants, rewards

_RECEIVER_ID = bindparam("receiver_id", type_=users.c.id.type)
_AMOUNT = bindparam("granted_amount", type_=reward_grants.c.amount.type)
_staff = access.staff()
# FOR KEY SHARE, as `access.member`: an erasure sees the grant, or this statement sees that the member is erased.
_lock_receiver = (
    select(users.c.id)
    .select_from(_staff.join(users, users.c.id == _RECEIVER_ID))
    .where(users.c.erased_at.is_(None))
    .with_for_update(of=users, read=True, key_share=True)
    .cte("receiver")
)
_insert_grant = (
    insert(reward_grants)
    .from_select(
        ["user_id", "amount", "created_at", "created_by"], select(_lock_receiver.c.id, _AMOUNT, NOW, CALLER_ID)
    )
    .returning(reward_grants.c.id, reward_grants.c.user_id, reward_grants.c.amount)
    .cte("granted")
)
_SOURCE: ColumnElement[str] = case((_insert_grant.c.amount < 0, "correction"), else_="grant")
(_insert_reward,) = granted(
    _SOURCE, select(_insert_grant.c.user_id, _insert_grant.c.id.label("source_id"), _insert_grant.c.amount)
)
_with_reason = select(_insert_grant, bindparam("given_reason", type_=Text).label("reason")).cte("with_reason")
_grant = (
    select(
        _insert_reward.c.id,
        _insert_grant.c.user_id,
        _SOURCE.label("source_type"),
        _insert_grant.c.id.label("source_id"),
        _insert_grant.c.amount,
        literal("USD").label("currency"),
        NOW.label("created_at"),
        literal("open").label("state"),
        null().cast(rewards.c.id.type).label("payout_id"),
    )
    .select_from(_insert_grant.join(_insert_reward, true()))
    .add_cte(audit.recorded("grant_reward", _with_reason))
    .execution_options(commit_in_flight=True)
)


def grant(
    connection: Connection, caller: Caller, user_id: int, amount: Decimal, reason: str, *, now: datetime
) -> Reward:
    """Grant a member an amount in US dollars; below zero it is a correction, which takes it back.

    Parameters
    ----------
    reason: why; it stands only in the audit log.

    Raises
    ------
    OwnRights: the member is the caller.
    ValidationFailed: there is no such member.
    Unauthenticated, AccountSuspended, Forbidden
    """
    if user_id == caller.user_id:
        raise OwnRights("Staff cannot grant themselves a reward")
    given = {"receiver_id": user_id, "granted_amount": amount, "given_reason": reason}
    row = access.one_or_none(connection, _grant, caller, given, now=now, staff=True)
    if row is None:  # the member does not exist, which is the only other reason
        raise ValidationFailed(errors=[{"pointer": "/user_id", "detail": "there is no such member"}])
    return Reward(**row._mapping)
