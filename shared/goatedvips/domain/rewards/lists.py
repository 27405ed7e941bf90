"""The ledger, as staff and as the member read it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, Text, and_, bindparam, exists, or_, select

from goatedvips.domain import access, pagination
from goatedvips.domain.access import CALLER_ID, Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.rewards.ledger import IS_PAID, STATE, WITH_PAYOUT, Source, State
from goatedvips.errors import ValidationFailed
from goatedvips.models.rewards import payouts, rewards


@dataclass(frozen=True, slots=True)
class Reward:
    """A row of the ledger.

    Parameters
    ----------
    source_id: the id of what it was granted for, by `source_type`.
    amount: in `currency`; below zero: it was taken back.
    state: whether it is open, in a payout, or paid.
    payout_id: the payout that covers it; None: it is open.
    """

    id: int
    user_id: int
    source_type: Source
    source_id: int
    amount: Decimal
    currency: str
    created_at: datetime
    state: State
    payout_id: int | None


REWARD_COLUMNS = (
    rewards.c.id,
    rewards.c.user_id,
    rewards.c.source_type,
    rewards.c.source_id,
    rewards.c.amount,
    rewards.c.currency,
    rewards.c.created_at,
    STATE,
    payouts.c.id.label("payout_id"),
)
_ALL = Keyset(rewards.c.id, list_name="all")
_OWN = Keyset(rewards.c.id, list_name="own")
_select_rewards: Select[Any] = select(*REWARD_COLUMNS).select_from(WITH_PAYOUT)
_OF_MEMBER = bindparam("of_member", type_=rewards.c.user_id.type)
_IN_STATE = bindparam("in_state", type_=Text)
# The planner drops a condition whose parameter is null, and those of other states. It has statistics of the columns
# that are left, but none of the CASE in the answer: with that it expects few matches, and may read the whole ledger.
_IS_WANTED = or_(
    _IN_STATE.is_(None),
    and_(_IN_STATE == "open", payouts.c.id.is_(None)),
    and_(_IN_STATE == "in_payout", payouts.c.id.is_not(None), ~IS_PAID),
    and_(_IN_STATE == "paid", IS_PAID),
)
_select_for_staff = _ALL.page_of(
    _select_rewards.where(
        exists(select(access.staff().c.id)),
        or_(_OF_MEMBER.is_(None), rewards.c.user_id == _OF_MEMBER),
        _IS_WANTED,
    )
)
_select_own = _OWN.page_of(_select_rewards.where(rewards.c.user_id == CALLER_ID))


def newest(
    connection: Connection,
    caller: Caller,
    *,
    user_id: int | None,
    state: State | None,
    limit: int,
    cursor: str | None,
    now: datetime,
) -> pagination.Page[Reward]:
    """Return a page of the ledger for staff, newest first.

    Parameters
    ----------
    user_id: only rewards of this member; None: all.
    state: only rewards in this state; None: all. It needs `user_id`, because rows in other states are read too: no row
        of the ledger changes, so no index says what is open.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list, or `state` is without `user_id`.
    Unauthenticated, AccountSuspended, Forbidden
    """
    if state is not None and user_id is None:
        raise ValidationFailed(errors=[{"pointer": "/state", "detail": "needs user_id"}])
    return pagination.newest(
        connection,
        _select_for_staff,
        caller.parameters(now) | {"of_member": user_id, "in_state": state},
        lambda row: Reward(**row._mapping),
        by=_ALL,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )


def newest_of_caller(
    connection: Connection, caller: Caller, *, limit: int, cursor: str | None
) -> pagination.Page[Reward]:
    """Return a page of the member's own rewards, newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    return pagination.newest(
        connection,
        _select_own,
        {"caller_id": caller.user_id},
        lambda row: Reward(**row._mapping),
        by=_OWN,
        limit=limit,
        cursor=cursor,
    )
