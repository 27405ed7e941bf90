"""Payouts: the open rewards of many members become one payout each, which is paid once it has a reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ARRAY, Connection, Integer, and_, bindparam, exists, func, insert, literal, or_, select, true

from goatedvips.domain import access, audit
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.attempts import advisory_lock
from goatedvips.models.accounts import users
from goatedvips.models.rewards import payout_items, payouts, rewards


@dataclass(frozen=True, slots=True)
class Batch:
    """Payouts that were made together.

    Parameters
    ----------
    batch_id: the id of the first of them; None: nothing was to be paid.
    count: the number of payouts: one a member.
    amount: their sum in US dollars.
    left_out: how many members would have got one, were they not suspended or erased.
    """

    batch_id: int | None
    count: int
    amount: Decimal
    left_out: int


_BEFORE = bindparam("paid_before", type_=rewards.c.created_at.type)
_MIN_AMOUNT = bindparam("least_amount", type_=payouts.c.amount.type)
_USER_IDS = bindparam("named_users", type_=ARRAY(Integer))
_staff = access.staff()
# An advisory lock until commit: one run at a time. It is a statement of its own, because only a statement that begins
# after the lock was taken sees what the run before it has paid out.
_lock_runs = select(_staff.c.id, advisory_lock(literal("create_payouts")))

# What is taken back is always in, so that no payout steps round a negative row.
_open = (
    select(rewards.c.id, rewards.c.user_id, rewards.c.amount)
    .where(
        ~exists().where(payout_items.c.reward_id == rewards.c.id),
        or_(_USER_IDS.is_(None), rewards.c.user_id == func.any(_USER_IDS)),
        or_(rewards.c.amount < 0, _BEFORE.is_(None), rewards.c.created_at < _BEFORE),
    )
    .cte("open")
)
_sum = func.sum(_open.c.amount)
_due = (
    select(_open.c.user_id)
    .group_by(_open.c.user_id)
    .having(and_(_sum > 0, or_(_MIN_AMOUNT.is_(None), _sum >= _MIN_AMOUNT)))
    .cte("due")
)
_is_paid = or_(_USER_IDS.is_not(None), and_(users.c.suspended_at.is_(None), users.c.erased_at.is_(None)))
_paid_in_order = (
    select(users.c.id.label("user_id"), users.c.uid)
    .join(_due, _due.c.user_id == users.c.id)
    .where(_is_paid)
    .order_by(users.c.id)
    .subquery("in_order")
)
_next_payout_id = func.nextval("payouts_id_seq").cast(Integer).label("payout_id")
_numbered = select(_paid_in_order, _next_payout_id).select_from(_staff.join(_paid_in_order, true()))
_paid = _numbered.cte("paid")
# The unique reward decides what a payout covers, and its amount is the sum of the rows that were inserted.
_insert_items = (
    insert(payout_items)
    .from_select(
        ["reward_id", "payout_id"],
        select(_open.c.id, _paid.c.payout_id).join(_paid, _paid.c.user_id == _open.c.user_id),
    )
    .returning(payout_items.c.reward_id, payout_items.c.payout_id)
    .cte("items")
)
_amounts = (
    select(_insert_items.c.payout_id, func.sum(_open.c.amount).label("amount"))
    .join(_open, _open.c.id == _insert_items.c.reward_id)
    .group_by(_insert_items.c.payout_id)
    .cte("amounts")
)
_batch_id = select(func.min(_paid.c.payout_id)).scalar_subquery()
_insert_payouts = (
    insert(payouts)
    .from_select(
        ["id", "batch_id", "user_id", "uid", "amount", "created_at", "created_by"],
        select(_paid.c.payout_id, _batch_id, _paid.c.user_id, _paid.c.uid, _amounts.c.amount, NOW, CALLER_ID).join(
            _amounts, _amounts.c.payout_id == _paid.c.payout_id
        ),
    )
    .returning(payouts.c.batch_id, payouts.c.amount)
    .cte("made")
)
_left_out = select(func.count()).select_from(_due.join(users, users.c.id == _due.c.user_id)).where(~_is_paid)
_batch = select(
    func.min(_insert_payouts.c.batch_id).label("id"),
    func.count().label("count"),
    func.coalesce(func.sum(_insert_payouts.c.amount), 0).label("amount"),
    _left_out.scalar_subquery().label("left_out"),
).cte("batch")
_recorded = (
    select(
        _batch,
        _BEFORE.label("before"),
        _MIN_AMOUNT.label("min_amount"),
        _USER_IDS.label("user_ids"),
    )
    .where(_batch.c.count > 0)
    .cte("recorded")
)
_create_payouts = (
    select(_batch.c.id.label("batch_id"), _batch.c.count, _batch.c.amount, _batch.c.left_out)
    .select_from(_batch.join(_staff, true()))
    .add_cte(audit.recorded("create_payouts", _recorded))
    .execution_options(commit_in_flight=True)
)


def create(
    connection: Connection,
    caller: Caller,
    *,
    before: datetime | None,
    min_amount: Decimal | None,
    user_ids: Sequence[int] | None,
    now: datetime,
) -> Batch:
    """Pay out the open rewards of each member whose sum is above zero. Runs follow one another.

    Members who have excluded themselves are paid. Suspended and erased members are paid only if `user_ids` names them.

    Parameters
    ----------
    before: leaves out what was granted at this instant or later; what was taken back is always in.
    min_amount: the smallest payout, in US dollars; None: any above zero.
    user_ids: only these members; None: all.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden
    """
    access.one(connection, _lock_runs, caller, {}, now=now, staff=True)
    given = {
        "paid_before": before,
        "least_amount": min_amount,
        "named_users": None if user_ids is None else list(user_ids),
    }
    row = access.one(connection, _create_payouts, caller, given, now=now, staff=True)
    return Batch(**row._mapping)
