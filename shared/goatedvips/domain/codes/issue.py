"""Staff issue bonus codes."""

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
from goatedvips.errors import CodeTaken, OwnRights, ValidationFailed
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes


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


_new_values = {
    field.name: bindparam(f"new_{field.name}", type_=bonus_codes.c[field.name].type) for field in fields(Terms)
}
_HAS_NO_OWNER = _new_values["user_id"].is_(None)
_OWNER_EXISTS = exists().where(users.c.id == _new_values["user_id"], users.c.erased_at.is_(None))
_staff = access.staff()
# The unique keys `code` and `code_key` decide.
_insert_code = (
    insert(bonus_codes)
    .from_select(
        [*_new_values, "code_key", "claimed_at"],
        select(*_new_values.values(), func.code_key(_new_values["code"]), NOW)
        .select_from(_staff)
        .where(or_(_HAS_NO_OWNER, _OWNER_EXISTS)),
    )
    .returning(*(bonus_codes.c[field.name] for field in fields(Code)))
    .cte("issued")
)
_issue_code = (
    select(_insert_code).add_cte(audit.recorded("issue_code", _insert_code)).execution_options(commit_in_flight=True)
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
    if terms.user_id == caller.user_id:
        raise OwnRights("Staff cannot issue a code that only they can claim")
    if terms.expires_at <= max(now, terms.starts_at or now):
        detail = "must be in the future and after starts_at"
        raise ValidationFailed(errors=[{"pointer": "/expires_at", "detail": detail}])
    given = asdict(terms) | {
        "code": terms.code or generator.new_code(),
        "max_claims": terms.max_claims if terms.user_id is None else 1,
    }
    parameters = caller.parameters(now) | {f"new_{name}": value for name, value in given.items()}
    try:
        issued = access.one_or_none(connection, _issue_code, caller, parameters, now=now, staff=True)
    except IntegrityError as error:
        if unique_keys.violates(error, "code"):
            raise CodeTaken from error
        raise
    if issued is None:  # the owner does not exist, which is the only other reason
        raise ValidationFailed(errors=[{"pointer": "/user_id", "detail": "there is no such member"}])
    return Code(**issued._mapping)
