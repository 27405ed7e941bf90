"""One payout, and the list of payouts: it is withdrawn, or paid once staff give the reference of its payment."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Integer,
    Numeric,
    Select,
    bindparam,
    cast,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    update,
)

from goatedvips.domain import access, audit, pagination
from goatedvips.domain.access import Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.rewards.lists import REWARD_COLUMNS, Reward
from goatedvips.errors import Conflict, NotFound
from goatedvips.models.rewards import payout_items, payouts, rewards


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout to a member.

    Parameters
    ----------
    batch_id: the payouts that were made together have the same.
    uid: the casino account that was linked to the member at that time.
    amount: the sum of its rewards in US dollars.
    reference: of the payment; None: it is not paid yet.
    created_by: the staff member who made it.
    """

    id: int
    batch_id: int
    user_id: int
    uid: str | None
    amount: Decimal
    reference: str | None
    created_at: datetime
    created_by: int


@dataclass(frozen=True, slots=True)
class PayoutWithRewards(Payout):
    """A payout with the rewards that it covers, in the order of their ids."""

    rewards: tuple[Reward, ...]


_staff = access.staff()
_PAYOUT_ID = bindparam("payout_id", type_=payouts.c.id.type)
_COLUMNS = tuple(payouts.c[name] for name in Payout.__dataclass_fields__)
_NEWEST_FIRST = Keyset(payouts.c.id)
_IN_BATCH = bindparam("in_batch", type_=payouts.c.batch_id.type)
_OF_MEMBER = bindparam("of_member", type_=payouts.c.user_id.type)
_ARE_PAID = bindparam("are_paid", type_=Boolean)
# The planner drops a condition whose parameter is null, and knows the index of unpaid payouts by the parameter's value.
_select_payouts: Select[Any] = _NEWEST_FIRST.page_of(
    select(*_COLUMNS).where(
        exists(select(_staff.c.id)),
        or_(_IN_BATCH.is_(None), payouts.c.batch_id == _IN_BATCH),
        or_(_OF_MEMBER.is_(None), payouts.c.user_id == _OF_MEMBER),
        or_(_ARE_PAID.is_(None), _ARE_PAID, payouts.c.reference.is_(None)),
        or_(_ARE_PAID.is_(None), ~_ARE_PAID, payouts.c.reference.is_not(None)),
    )
)
_select_rewards_of_payout: Select[Any] = (
    select(*(column.label(f"of_{column.name}") for column in _COLUMNS), *REWARD_COLUMNS)
    .select_from(_staff.join(payouts, payouts.c.id == _PAYOUT_ID))
    .join(payout_items, payout_items.c.payout_id == payouts.c.id)
    .join(rewards, rewards.c.id == payout_items.c.reward_id)
    .order_by(rewards.c.id)
)

# FOR UPDATE until commit: a concurrent withdrawal or reference waits, then sees what this one did.
_lock_payout = (
    select(*_COLUMNS)
    .select_from(_staff.join(payouts, payouts.c.id == _PAYOUT_ID))
    .with_for_update(of=payouts)
    .cte("payout")
)
_IS_UNPAID = payouts.c.reference.is_(None)
# Its rows in payout_items go with it (ON DELETE CASCADE).
_delete_payout = (
    delete(payouts)
    .where(payouts.c.id == _lock_payout.c.id, _IS_UNPAID)
    .returning(payouts.c.id, payouts.c.user_id, payouts.c.batch_id, payouts.c.amount)
    .cte("withdrawn")
)
# The payout is gone afterwards, so the entry is about its member.
_withdrawn = select(
    _delete_payout.c.user_id.label("id"),
    _delete_payout.c.id.label("payout_id"),
    _delete_payout.c.batch_id,
    _delete_payout.c.amount,
).cte("before")
_after_withdrawal = select(
    _withdrawn.c.id,
    cast(null(), Integer).label("payout_id"),
    cast(null(), Integer).label("batch_id"),
    cast(null(), Numeric).label("amount"),
).cte("after")
_withdraw = (
    select(_lock_payout.c.id, _lock_payout.c.reference)
    .add_cte(audit.recorded("withdraw_payout", _after_withdrawal, _withdrawn))
    .execution_options(commit_in_flight=True)
)

_set_reference = (
    update(payouts)
    .where(payouts.c.id == _lock_payout.c.id, _IS_UNPAID)
    .values(reference=bindparam("given_reference"))
    .returning(payouts.c.id, payouts.c.reference)
    .cte("referenced")
)
_before_reference = select(_lock_payout.c.id, _lock_payout.c.reference).cte("before")
_reference_payout = (
    select(
        *(column for column in _lock_payout.c if column.key != "reference"),
        func.coalesce(_set_reference.c.reference, _lock_payout.c.reference).label("reference"),
    )
    .outerjoin(_set_reference, _set_reference.c.id == _lock_payout.c.id)
    .add_cte(audit.recorded("reference_payout", _set_reference, _before_reference))
    .execution_options(commit_in_flight=True)
)


def newest(
    connection: Connection,
    caller: Caller,
    *,
    batch_id: int | None,
    user_id: int | None,
    paid: bool | None,
    limit: int,
    cursor: str | None,
    now: datetime,
) -> pagination.Page[Payout]:
    """Return a page of the payouts, newest first.

    Parameters
    ----------
    batch_id, user_id: only payouts of this batch, of this member; None: all.
    paid: only payouts with a reference, or only those without one; None: all.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    Unauthenticated, AccountSuspended, Forbidden
    """
    return pagination.newest(
        connection,
        _select_payouts,
        caller.parameters(now) | {"in_batch": batch_id, "of_member": user_id, "are_paid": paid},
        lambda row: Payout(**row._mapping),
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )


def get(connection: Connection, caller: Caller, payout_id: int, *, now: datetime) -> PayoutWithRewards:
    """Return a payout with its rewards.

    Raises
    ------
    NotFound: there is no such payout.
    Unauthenticated, AccountSuspended, Forbidden
    """
    rows = connection.execute(_select_rewards_of_payout, caller.parameters(now) | {"payout_id": payout_id}).all()
    if not rows:
        access.explain(connection, caller, now=now, staff=True)
        raise NotFound
    payout = {column.name: rows[0]._mapping[f"of_{column.name}"] for column in _COLUMNS}
    covered = tuple(Reward(**{name: row._mapping[name] for name in Reward.__dataclass_fields__}) for row in rows)
    return PayoutWithRewards(**payout, rewards=covered)


def withdraw(connection: Connection, caller: Caller, payout_id: int, *, now: datetime) -> None:
    """Delete a payout that is not paid: its rewards are open again.

    Raises
    ------
    NotFound: there is no such payout.
    Conflict: it is paid: it has a reference.
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one_or_none(connection, _withdraw, caller, {"payout_id": payout_id}, now=now, staff=True)
    if row is None:
        raise NotFound
    if row.reference is not None:
        raise Conflict("The payout has a reference, so it is paid")


def set_reference(connection: Connection, caller: Caller, payout_id: int, reference: str, *, now: datetime) -> Payout:
    """Give a payout the reference of its payment: it is paid now. The same reference again changes nothing.

    Raises
    ------
    NotFound: there is no such payout.
    Conflict: it has another reference.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"payout_id": payout_id, "given_reference": reference}
    row = access.one_or_none(connection, _reference_payout, caller, given, now=now, staff=True)
    if row is None:
        raise NotFound
    if row.reference != reference:
        raise Conflict("The payout has another reference")
    return Payout(**row._mapping)
