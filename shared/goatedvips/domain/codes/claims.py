"""Claims of bonus codes: once a member, by as many members as each code allows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import (
    Connection,
    String,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access, attempts, pagination
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.rewards.ledger import granted
from goatedvips.errors import CodeNotClaimable
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.codes import bonus_codes, code_claims

FAILED_CLAIMS = attempts.Throttle("claim", limit=10, window=timedelta(minutes=10))
"""Of one member. A failure is written after its roll-back: claims sent at once all pass, then none for ten minutes."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A member's claim of a code."""

    id: int
    code: str
    value: Decimal | None
    currency: str
    claimed_at: datetime
    expires_at: datetime
    created: bool
    """Whether it was made now; otherwise the member has had it."""


_player = access.player()
_opens_at = FAILED_CLAIMS.opens_at(attempt_rows.c.subject == CALLER_ID.cast(String))
_attempt = select(_player.c.id, _opens_at.label("opens_at")).cte("attempt")
# A code whose text has no letter, as an adopted one may, is nobody's to find.
_matched = bonus_codes.c.code_key == func.nullif(func.code_key(bindparam("typed")), "")
_held = code_claims.alias("held")
_is_held = and_(_held.c.code_id == bonus_codes.c.id, _held.c.user_id == CALLER_ID)
# Why a code cannot be claimed, for the log. Used without a claim: by the application that came before.
_OBSTACLES = (
    ("absent", bonus_codes.c.id.is_(None)),
    ("revoked", bonus_codes.c.revoked_at.is_not(None)),
    ("not_started", bonus_codes.c.starts_at > NOW),
    ("expired", bonus_codes.c.expires_at <= NOW),
    (
        "exhausted",
        or_(
            bonus_codes.c.claims >= bonus_codes.c.max_claims,
            and_(bonus_codes.c.is_used, bonus_codes.c.claims == 0),
        ),
    ),
    ("anothers", bonus_codes.c.user_id != CALLER_ID),
)
# The lock comes first and the row is read again behind it: what is decided here holds until the claim is written.
# What cannot be claimed is not locked: a refusal writes nothing, so its time does not tell the reason.
_code = (
    select(bonus_codes.c.id, bonus_codes.c.value, bonus_codes.c.currency, bonus_codes.c.spin_id)
    .select_from(_attempt)
    .join(bonus_codes, _matched)
    .where(
        _attempt.c.opens_at.is_(None),
        ~exists().where(_is_held),
        *(obstacle.is_not(true()) for _, obstacle in _OBSTACLES),
    )
    .with_for_update(of=bonus_codes)
    .cte("code")
)
# The unique (code, member) decides repeats: everything else hangs on the claim's row.
_claim = (
    upsert(code_claims)
    .from_select(["code_id", "user_id", "claimed_at"], select(_code.c.id, CALLER_ID, NOW))
    .on_conflict_do_nothing(index_elements=["code_id", "user_id"])
    .returning(code_claims.c.id, code_claims.c.code_id, code_claims.c.user_id, code_claims.c.claimed_at)
    .cte("claim")
)
_counted = (
    update(bonus_codes)
    .where(bonus_codes.c.id == _claim.c.code_id)
    .values(
        claims=bonus_codes.c.claims + 1,
        is_used=True,
        claimed_at=case((bonus_codes.c.claims == 0, NOW), else_=bonus_codes.c.claimed_at),
        user_id=case((bonus_codes.c.max_claims == 1, CALLER_ID), else_=bonus_codes.c.user_id),
    )
    .cte("counted")
)
# A win of the wheel was rewarded by its spin, and what an adopted code is worth is not known.
_reward = (
    select(_claim.c.user_id, _code.c.id.label("source_id"), _code.c.value.label("amount"), _code.c.currency)
    .join(_code, _code.c.id == _claim.c.code_id)
    .where(_code.c.value.is_not(None), _code.c.spin_id.is_(None))
)
_claiming = (
    select(
        func.coalesce(_claim.c.id, _held.c.id).label("id"),
        bonus_codes.c.code,
        bonus_codes.c.value,
        bonus_codes.c.currency,
        func.coalesce(_claim.c.claimed_at, _held.c.claimed_at).label("claimed_at"),
        bonus_codes.c.expires_at,
        _claim.c.id.is_not(None).label("created"),
        _attempt.c.opens_at,
        case(*((obstacle, literal(reason)) for reason, obstacle in _OBSTACLES)).label("reason"),
    )
    .select_from(_attempt)
    .outerjoin(bonus_codes, _matched)
    .outerjoin(_held, _is_held)
    .outerjoin(_claim, true())
    .add_cte(_counted, *granted("code", _reward))
    .execution_options(commit_in_flight=True)
)


def claim(connection: Connection, caller: Caller, code: str, *, client_network: str, now: datetime) -> Claim:
    """Grant the code to the member exactly once; to its holder again and again, whatever has become of the code.

    Parameters
    ----------
    code: as it was typed in; case, spaces and dashes don't matter.
    client_network: where from, for the failed claim that a refusal leaves behind.

    Raises
    ------
    CodeNotClaimable: whatever the reason, which is for the log alone.
    TooManyAttempts: with when to try again.
    Unauthenticated, AccountSuspended, SelfExcluded, EmailUnverified
    """
    parameters = caller.parameters(now) | {"typed": code}
    row = access.one(connection, _claiming, caller, parameters, now=now, playing=True)
    if row.id is None and row.opens_at is None:
        # A claim by the same member that ended meanwhile is seen by a new statement alone.
        row = access.one(connection, _claiming, caller, parameters, now=now, playing=True)
    if row.id is not None:
        return Claim(row.id, row.code, row.value, row.currency, row.claimed_at, row.expires_at, row.created)
    if row.opens_at is not None:
        raise attempts.too_many(row.opens_at, now=now)
    failed = attempts.insert_attempt(FAILED_CLAIMS.kind, str(caller.user_id), client_network, at=now)
    raise CodeNotClaimable(reason=row.reason, leaves=failed)


_NEWEST_FIRST = Keyset(code_claims.c.id)
_claims = _NEWEST_FIRST.page_of(
    select(
        code_claims.c.id,
        bonus_codes.c.code,
        bonus_codes.c.value,
        bonus_codes.c.currency,
        code_claims.c.claimed_at,
        bonus_codes.c.expires_at,
        false().label("created"),
    )
    .join(bonus_codes, bonus_codes.c.id == code_claims.c.code_id)
    .where(code_claims.c.user_id == CALLER_ID)
)


def claims(connection: Connection, caller: Caller, *, limit: int, cursor: str | None) -> pagination.Page[Claim]:
    """The member's claims, newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    return pagination.newest(
        connection,
        _claims,
        {"caller_id": caller.user_id},
        lambda row: Claim(**row._mapping),
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
    )
