"""The statements of a claim; `goatedvips.domain.codes.claims` executes them."""

from datetime import timedelta

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access, attempts
from goatedvips.domain.access import CALLER_ID, NOW
from goatedvips.domain.rewards.ledger import granted
from goatedvips.models.accounts import attempts as attempt_rows
from goatedvips.models.codes import bonus_codes, code_claims

FAILED_CLAIMS = attempts.Throttle("claim", limit=10, window=timedelta(minutes=10))
"""Of one member. A failure is recorded after its request was rolled back, so more than ten concurrent requests pass."""
_claimant = access.claimant()
_opens_at = FAILED_CLAIMS.opens_at(attempt_rows.c.subject == CALLER_ID.cast(String))
# The key of an adopted code may be empty, if its text has only spaces and dashes. Such a code cannot be claimed.
_IS_TYPED_CODE = bonus_codes.c.code_key == func.nullif(func.code_key(bindparam("typed")), "")
_IS_CALLERS = and_(code_claims.c.code_id == bonus_codes.c.id, code_claims.c.user_id == CALLER_ID)
# The reasons why a code cannot be claimed, by their names in the log. A code that is used without any claim was used by
# the legacy application.
_OBSTACLES = {
    "absent": bonus_codes.c.id.is_(None),
    "revoked": bonus_codes.c.revoked_at.is_not(None),
    "not_started": bonus_codes.c.starts_at > NOW,
    "expired": bonus_codes.c.expires_at <= NOW,
    "exhausted": or_(
        bonus_codes.c.claims >= bonus_codes.c.max_claims, and_(bonus_codes.c.is_used, bonus_codes.c.claims == 0)
    ),
    "anothers": bonus_codes.c.user_id != CALLER_ID,
}
# One row for the caller: the code that they typed and their claim of it, null where there is none.
_found = (
    select(
        _opens_at.label("opens_at"),
        bonus_codes.c.id.label("code_id"),
        bonus_codes.c.code,
        bonus_codes.c.value,
        bonus_codes.c.currency,
        bonus_codes.c.expires_at,
        bonus_codes.c.spin_id,
        and_(*(obstacle.is_not(true()) for obstacle in _OBSTACLES.values())).label("is_claimable"),
        code_claims.c.id.label("claim_id"),
        code_claims.c.claimed_at,
    )
    .select_from(_claimant)
    .outerjoin(bonus_codes, _IS_TYPED_CODE)
    .outerjoin(code_claims, _IS_CALLERS)
    # The code of a win is its winner's, even if they have excluded themselves since. Every other code needs the right
    # to play; without it the statement has no row, so nobody learns by an exclusion which codes exist.
    .where(or_(_claimant.c.may_play, and_(bonus_codes.c.spin_id.is_not(None), bonus_codes.c.user_id == CALLER_ID)))
    .cte("found")
)
# The unique key (code_id, user_id) decides. The other CTEs read the inserted row, so a second claim writes nothing.
# Nothing is written, and no row of a code locked, for a code that cannot be claimed: the time would reveal the reason.
_insert_claim = (
    upsert(code_claims)
    .from_select(
        ["code_id", "user_id", "claimed_at"],
        select(_found.c.code_id, CALLER_ID, NOW).where(
            _found.c.opens_at.is_(None), _found.c.claim_id.is_(None), _found.c.is_claimable
        ),
    )
    .on_conflict_do_nothing(index_elements=["code_id", "user_id"])
    .returning(code_claims.c.id, code_claims.c.code_id, code_claims.c.user_id, code_claims.c.claimed_at)
    .cte("claim")
)
# The row of the code is locked from here to COMMIT, as late as possible, because all claims of one code wait for it.
# On the locked row PostgreSQL checks again what other transactions can change. If they have exhausted or revoked the
# code since `found` was read, this updates no row.
# A scalar subquery: PostgreSQL plans it in less time than a join with the CTE.
_count_claim = (
    update(bonus_codes)
    .where(
        bonus_codes.c.id == select(_insert_claim.c.code_id).scalar_subquery(),
        _OBSTACLES["revoked"].is_not(true()),
        _OBSTACLES["exhausted"].is_not(true()),
    )
    .values(
        claims=bonus_codes.c.claims + 1,
        is_used=True,
        claimed_at=case((bonus_codes.c.claims == 0, NOW), else_=bonus_codes.c.claimed_at),
        user_id=case((bonus_codes.c.max_claims == 1, CALLER_ID), else_=bonus_codes.c.user_id),
    )
    .returning(bonus_codes.c.id)
    .cte("count_claim")
)
_counted = select(func.count()).select_from(_count_claim).scalar_subquery()
# A claim that was inserted and not counted must not be committed. COMMIT is sent with this statement, so only an error
# of the statement itself can prevent it, and plain SQL has no RAISE: hence the division by zero (docs/decisions/0003).
_ABORT = case((_insert_claim.c.id.is_not(None), literal(1).op("/")(_counted)))
# The source of a win is its spin. The value of an adopted code is unknown, so it gets no row.
_SOURCE: ColumnElement[str] = case((_found.c.spin_id.is_(None), "code"), else_="spin")
_reward = (
    select(
        _insert_claim.c.user_id,
        func.coalesce(_found.c.spin_id, _found.c.code_id).label("source_id"),
        _found.c.value.label("amount"),
        _found.c.currency,
    )
    .join(_found, true())
    .where(_found.c.value.is_not(None))
)
claim_code = (
    select(
        func.coalesce(_insert_claim.c.id, _found.c.claim_id).label("id"),
        _found.c.code,
        _found.c.value,
        _found.c.currency,
        func.coalesce(_insert_claim.c.claimed_at, _found.c.claimed_at).label("claimed_at"),
        _found.c.expires_at,
        _insert_claim.c.id.is_not(None).label("created"),
        _found.c.opens_at,
        _ABORT.label("aborts_unless_counted"),
    )
    .select_from(_found)
    .outerjoin(_insert_claim, true())
    .add_cte(*granted(_SOURCE, _reward))
    .execution_options(commit_in_flight=True)
)
_one_row = select(literal(1)).subquery("one_row")
select_reason = (
    select(
        code_claims.c.id,
        bonus_codes.c.code,
        bonus_codes.c.value,
        bonus_codes.c.currency,
        code_claims.c.claimed_at,
        bonus_codes.c.expires_at,
        false().label("created"),
        case(*((obstacle, literal(reason)) for reason, obstacle in _OBSTACLES.items())).label("reason"),
    )
    .select_from(_one_row)
    .outerjoin(bonus_codes, _IS_TYPED_CODE)
    .outerjoin(code_claims, _IS_CALLERS)
    .execution_options(commit_in_flight=True)
)
insert_failed_claim = attempts.insert_attempt(FAILED_CLAIMS.kind, CALLER_ID.cast(String)).execution_options(
    commit_in_flight=True
)
