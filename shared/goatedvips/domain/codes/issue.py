"""Staff issue bonus codes: one, named or generated, or a batch of generated ones."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.exc import IntegrityError

from goatedvips.domain import access, audit, unique_keys
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.codes import generator
from goatedvips.domain.notifications.outbox import queued
from goatedvips.errors import CodeTaken, OwnRights, ValidationFailed
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes, code_batches

LISTED = 20  # codes of a batch that its owner reads in the notification


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a code to be issued.

    Parameters
    ----------
    code: its text; None: it is generated.
    value: what a claim is worth, in `currency`.
    starts_at: the first instant at which it can be claimed; None: at once.
    expires_at: the first instant at which it can no longer be claimed.
    max_claims: how many members can claim it; None: no limit. A code with an owner can be claimed once.
    user_id: the owner, who is then the only member who can claim it; None: anyone.
    """

    code: str | None
    value: Decimal
    currency: str
    starts_at: datetime | None
    expires_at: datetime
    max_claims: int | None
    user_id: int | None


@dataclass(frozen=True, slots=True)
class Code(Terms):
    """A code that was issued.

    Parameters
    ----------
    claims: how many members have claimed it.
    """

    id: int
    claims: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of codes that was issued."""

    batch_id: int
    count: int


_given = {field.name: bindparam(f"new_{field.name}", type_=bonus_codes.c[field.name].type) for field in fields(Terms)}
_shared = {name: value for name, value in _given.items() if name != "code"}
"""The terms that all codes of a batch have."""
_staff = access.staff()
_owner_exists = exists().where(users.c.id == _given["user_id"], users.c.erased_at.is_(None))
_CAN_BE_ISSUED = or_(_given["user_id"].is_(None), _owner_exists)
# The unique keys `code` and `code_key` decide.
_insert_code = (
    insert(bonus_codes)
    .from_select(
        [*_given, "code_key", "claimed_at"],
        select(*_given.values(), func.code_key(_given["code"]), NOW).select_from(_staff).where(_CAN_BE_ISSUED),
    )
    .returning(*(bonus_codes.c[field.name] for field in fields(Code)))
    .cte("issued")
)


def _notice(issued: FromClause, **code: ColumnElement[Any]) -> Select[Any]:
    """Return the row of the outbox for the owner of what was issued, if it has one.

    Parameters
    ----------
    code: values of the payload: the ids, the number of codes, and the first of them.
    """
    terms = {
        "value": cast(_given["value"], Text),
        "starts_at": case((_given["starts_at"] > NOW, _given["starts_at"])),
        "expires_at": _given["expires_at"],
    }
    pairs = (part for pair in (code | terms).items() for part in pair)
    payload = func.jsonb_build_object(*pairs).label("payload")
    return select(users.c.id.label("user_id"), users.c.email, payload, _given["expires_at"].label("expires_at")).join(
        issued, users.c.id == _given["user_id"]
    )


_code_notice = _notice(
    _insert_code,
    code_id=_insert_code.c.id,
    batch_id=null(),
    count=literal(1),
    codes=func.jsonb_build_array(_insert_code.c.code),
)
_issue_code = (
    select(_insert_code)
    .add_cte(audit.recorded("issue_code", _insert_code), *queued("code_issued", _code_notice))
    .execution_options(commit_in_flight=True)
)
_SIZE = bindparam("size", type_=Integer)
_insert_batch = (
    insert(code_batches)
    .from_select(
        ["size", "user_id", "created_at"],
        select(_SIZE, _given["user_id"], NOW).select_from(_staff).where(_CAN_BE_ISSUED),
    )
    .returning(code_batches.c.id)
    .cte("batch")
)
# All codes in one parameter, separated by spaces. `code_key` would only take their dashes away.
_codes = func.string_to_table(bindparam("codes", type_=Text), " ").table_valued("code").render_derived(name="codes")
_insert_codes = (
    insert(bonus_codes)
    .from_select(
        ["code", "code_key", "batch_id", "claimed_at", *_shared],
        select(
            _codes.c.code, func.replace(_codes.c.code, "-", ""), _insert_batch.c.id, NOW, *_shared.values()
        ).select_from(_insert_batch.join(_codes, true())),
    )
    .cte("insert_codes")
)
_batch_terms = select(
    _insert_batch.c.id, _SIZE.label("count"), *(value.label(name) for name, value in _shared.items())
).cte("batch_terms")
_listed_codes = select(_codes.c.code).limit(LISTED).subquery("listed")
_batch_notice = _notice(
    _insert_batch,
    code_id=null(),
    batch_id=_insert_batch.c.id,
    count=_SIZE,
    codes=select(func.jsonb_agg(_listed_codes.c.code)).scalar_subquery(),
)
_issue_batch = (
    select(_insert_batch.c.id)
    .add_cte(_insert_codes, audit.recorded("issue_batch", _batch_terms), *queued("code_issued", _batch_notice))
    .execution_options(commit_in_flight=True)
)


def issue(connection: Connection, caller: Caller, terms: Terms, *, now: datetime) -> Code:
    """Issue one code, named or generated.

    Raises
    ------
    ValidationFailed: it expires before it starts or has expired, or its owner does not exist.
    CodeTaken: another code differs from it only in case, spaces, dashes and invisible characters.
    OwnRights: its owner is the caller.
    Unauthenticated, AccountSuspended, Forbidden
    """
    code = {"new_code": terms.code or generator.new_code()}
    try:
        return Code(**_issued(connection, _issue_code, caller, terms, code, now=now)._mapping)
    except IntegrityError as error:
        if unique_keys.violates(error, "code"):
            raise CodeTaken from error
        raise


def issue_batch(connection: Connection, caller: Caller, terms: Terms, count: int, *, now: datetime) -> Batch:
    """Issue a batch of generated codes with equal terms: one statement, whatever their number.

    Parameters
    ----------
    count: how many codes.

    Raises
    ------
    ValidationFailed: the codes have a name, expire before they start or have expired, or their owner does not exist.
    OwnRights: their owner is the caller.
    Unauthenticated, AccountSuspended, Forbidden
    """
    if terms.code is not None:
        raise ValidationFailed(errors=[{"pointer": "/code", "detail": "must be absent, because count is given"}])
    codes = {"size": count, "codes": " ".join(generator.new_codes(count))}
    return Batch(_issued(connection, _issue_batch, caller, terms, codes, now=now).id, count)


def _issued(
    connection: Connection,
    statement: Executable,
    caller: Caller,
    terms: Terms,
    texts: Mapping[str, object],
    *,
    now: datetime,
) -> Row[*tuple[Any, ...]]:
    """Execute one of the statements above, and return its row.

    Raises
    ------
    ValidationFailed: a code expires before it starts or has expired, or its owner does not exist.
    OwnRights: the owner is the caller.
    Unauthenticated, AccountSuspended, Forbidden
    """
    if terms.user_id == caller.user_id:
        raise OwnRights("Staff cannot issue a code that only they can claim")
    if terms.expires_at <= max(now, terms.starts_at or now):
        detail = "must be in the future and after starts_at"
        raise ValidationFailed(errors=[{"pointer": "/expires_at", "detail": detail}])
    given = asdict(terms) | {"max_claims": terms.max_claims if terms.user_id is None else 1}
    bound = {f"new_{name}": value for name, value in given.items()}
    row = access.one_or_none(connection, statement, caller, {**bound, **texts}, now=now, staff=True)
    if row is None:  # the owner does not exist, which is the only other reason
        raise ValidationFailed(errors=[{"pointer": "/user_id", "detail": "there is no such member"}])
    return row
