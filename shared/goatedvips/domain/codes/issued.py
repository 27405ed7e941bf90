"""Codes that were issued, for staff: their list, and revocation of one code or of a batch."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Text, bindparam, exists, func, or_, select, update

from goatedvips.domain import access, audit, pagination
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.codes.issue import Code
from goatedvips.domain.pagination import Keyset
from goatedvips.errors import NotFound
from goatedvips.models.codes import bonus_codes, code_batches


@dataclass(frozen=True, slots=True)
class IssuedCode(Code):
    """A code in the list.

    Parameters
    ----------
    batch_id: the batch that it was generated in; None: it was issued as a single code, won, or adopted.
    revoked_at: when staff revoked it.
    """

    batch_id: int | None
    revoked_at: datetime | None


_staff = access.staff()
_BATCH_ID = bindparam("given_batch_id", type_=bonus_codes.c.batch_id.type)
_TYPED = bindparam("typed", type_=Text)
_NEWEST_FIRST = Keyset(bonus_codes.c.id)
# The planner drops a condition whose parameter is null.
_select_codes = _NEWEST_FIRST.page_of(
    select(*(bonus_codes.c[name] for name in IssuedCode.__dataclass_fields__)).where(
        exists(select(_staff.c.id)),
        or_(_BATCH_ID.is_(None), bonus_codes.c.batch_id == _BATCH_ID),
        or_(_TYPED.is_(None), bonus_codes.c.code_key == func.code_key(_TYPED)),
    )
)

_CODE_ID = bindparam("code_id", type_=bonus_codes.c.id.type)
_code = (
    select(bonus_codes.c.id, bonus_codes.c.revoked_at)
    .select_from(_staff.join(bonus_codes, bonus_codes.c.id == _CODE_ID))
    .cte("code")
)
# A code that is revoked already keeps its time, and the audit log gets no second entry.
_revoke = (
    update(bonus_codes)
    .where(bonus_codes.c.id == _code.c.id, bonus_codes.c.revoked_at.is_(None))
    .values(revoked_at=NOW)
    .returning(bonus_codes.c.id, bonus_codes.c.revoked_at)
    .cte("revoked")
)
_revoke_code = (
    select(_code.c.id)
    .add_cte(_revoke, audit.recorded("revoke_code", _revoke, _code))
    .execution_options(commit_in_flight=True)
)

# FOR UPDATE: a concurrent revocation of the batch waits, so that two do not lock its codes in different orders.
_lock_batch = (
    select(code_batches.c.id)
    .select_from(_staff.join(code_batches, code_batches.c.id == _BATCH_ID))
    .with_for_update(of=code_batches)
    .cte("batch")
)
_in_batch = bonus_codes.c.batch_id == _lock_batch.c.id
_revoked = (
    update(bonus_codes)
    .where(_in_batch, bonus_codes.c.revoked_at.is_(None))
    .values(revoked_at=NOW)
    .returning(bonus_codes.c.id)
    .cte("revoked")
)
_number_revoked = select(func.count()).select_from(_revoked).scalar_subquery()
_revoked_before = select(func.count()).where(_in_batch, bonus_codes.c.revoked_at.is_not(None)).scalar_subquery()
_before = select(_lock_batch.c.id, _revoked_before.label("revoked")).cte("before")
_after = (
    select(_before.c.id, (_before.c.revoked + _number_revoked).label("revoked")).where(_number_revoked > 0).cte("after")
)
_revoke_batch = (
    select(_number_revoked.label("number"))
    .select_from(_lock_batch)
    .add_cte(audit.recorded("revoke_batch", _after, _before))
    .execution_options(commit_in_flight=True)
)


def newest(
    connection: Connection,
    caller: Caller,
    *,
    batch_id: int | None,
    code: str | None,
    limit: int,
    cursor: str | None,
    now: datetime,
) -> pagination.Page[IssuedCode]:
    """Return a page of the codes, newest first: adopted codes and those of wins too.

    Parameters
    ----------
    batch_id: only codes of this batch; None: all.
    code: only the code that this text means, whatever its case, spaces and dashes; None: all.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    Unauthenticated, AccountSuspended, Forbidden
    """
    return pagination.newest(
        connection,
        _select_codes,
        caller.parameters(now) | {"given_batch_id": batch_id, "typed": code},
        lambda row: IssuedCode(**row._mapping),
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
        refuse=lambda: access.explain(connection, caller, now=now, staff=True),
    )


def revoke(connection: Connection, caller: Caller, code_id: int, *, now: datetime) -> None:
    """Revoke a code: nobody can claim it any more. Claims that were made stay; revoking it again changes nothing.

    Raises
    ------
    NotFound: there is no such code.
    Unauthenticated, AccountSuspended, Forbidden
    """
    parameters = {"code_id": code_id}
    if access.one_or_none(connection, _revoke_code, caller, parameters, now=now, staff=True) is None:
        raise NotFound


def revoke_batch(connection: Connection, caller: Caller, batch_id: int, *, now: datetime) -> int:
    """Revoke all codes of a batch, as `revoke` does; return how many this call revoked.

    Raises
    ------
    NotFound: there is no such batch.
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one_or_none(connection, _revoke_batch, caller, {"given_batch_id": batch_id}, now=now, staff=True)
    if row is None:
        raise NotFound
    number: int = row.number
    return number
