"""Bonus codes as staff issue them."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    Connection,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError

from goatedvips.domain import access, audit, unique_keys
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.codes import generator
from goatedvips.errors import CodeTaken, ValidationFailed
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes


@dataclass(frozen=True, slots=True)
class Terms:
    """What a code is issued with.

    Parameters
    ----------
    code: its text; none: one is generated.
    expires_at: the first instant at which it can no longer be claimed.
    max_claims: none: no limit; a code with an owner has one.
    user_id: the owner, who alone can claim it.
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
    """A code that was issued."""

    id: int
    claims: int


_terms = {field.name: bindparam(f"new_{field.name}", type_=bonus_codes.c[field.name].type) for field in fields(Terms)}
_no_owner = _terms["user_id"].is_(None)
_owner_exists = exists().where(users.c.id == _terms["user_id"], users.c.erased_at.is_(None))
_staff = access.staff()
# Whichever key it repeats, the text or what it reads as, and whoever wrote that: nothing is issued.
_issued = (
    insert(bonus_codes)
    .from_select(
        [*_terms, "code_key", "claimed_at"],
        select(*_terms.values(), func.code_key(_terms["code"]), NOW)
        .select_from(_staff)
        .where(or_(_no_owner, _owner_exists)),
    )
    .returning(*(bonus_codes.c[field.name] for field in fields(Code)))
    .cte("issued")
)
_issuing = select(_issued).add_cte(audit.noted("issue_code", _issued)).execution_options(commit_in_flight=True)
_owner_is_there = select(or_(_no_owner, _owner_exists))


def issue(connection: Connection, caller: Caller, terms: Terms, *, now: datetime) -> Code:
    """Issue one code, named or generated.

    Raises
    ------
    ValidationFailed: its time is over or empty, or its owner does not exist.
    CodeTaken: there is a code that reads the same.
    Unauthenticated, AccountSuspended, Forbidden
    """
    if terms.expires_at <= max(now, terms.starts_at or now):
        detail = "must be in the future and after starts_at"
        raise ValidationFailed(errors=[{"pointer": "/expires_at", "detail": detail}])
    given = asdict(terms) | {
        "code": terms.code or generator.new_code(),
        "max_claims": terms.max_claims if terms.user_id is None else 1,
    }
    parameters = caller.parameters(now) | {f"new_{name}": value for name, value in given.items()}
    try:
        issued = access.one_or_none(connection, _issuing, caller, parameters, now=now, staff=True)
    except IntegrityError as error:
        if unique_keys.violates(error, "code"):
            raise CodeTaken from error
        raise
    if issued is None:
        if not connection.execute(_owner_is_there, parameters).scalar_one():
            raise ValidationFailed(errors=[{"pointer": "/user_id", "detail": "there is no such member"}])
        raise CodeTaken
    return Code(*issued)
