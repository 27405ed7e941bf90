"""Claims of bonus codes: a member claims a code at most once, and a code has at most `max_claims` claims."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from goatedvips.compiled import Bound
from goatedvips.connections import Connection
from goatedvips.domain import callers
from goatedvips.domain.callers import Caller
from goatedvips.domain.codes import compiled_statements as statements
from goatedvips.domain.throttled import too_many
from goatedvips.errors import CodeNotClaimable
from goatedvips.postgres_errors import sqlstate

_DIVISION_BY_ZERO = "22012"  # see `claim_statements`


@dataclass(frozen=True, slots=True)
class Claim:
    """A member's claim of a code.

    Parameters
    ----------
    id: of the claim, not of the code.
    value: in `currency`; None: unknown, of an adopted code.
    expires_at: of the code.
    created: whether this call made the claim; otherwise the member had made it before.
    """

    id: int
    code: str
    value: Decimal | None
    currency: str
    claimed_at: datetime
    expires_at: datetime
    created: bool


def claim(connection: Connection[Any], caller: Caller, code: str, *, client_network: str, now: datetime) -> Claim:
    """Claim the code for the member. A member who has claimed it gets their claim again, even if the code has expired.

    A member who has excluded themselves, or whose e-mail address is not verified, can still claim what they won.

    Parameters
    ----------
    code: as the member typed it; case, spaces, dashes and invisible characters are ignored.
    client_network: where the request comes from; recorded with a failed claim.

    Raises
    ------
    CodeNotClaimable: the answer is the same for every reason; only the log has the reason.
    TooManyAttempts: ten claims failed within ten minutes.
    Unauthenticated, AccountSuspended, SelfExcluded, EmailUnverified
    """
    parameters = caller.parameters(now) | {"typed": code}
    failed = Bound(statements.INSERT_FAILED_CLAIM, parameters | {"client_network": client_network})
    try:
        row = callers.one(connection, statements.CLAIM_CODE, caller, parameters, now=now, playing=True)
    except Exception as error:
        if sqlstate(error) == _DIVISION_BY_ZERO:
            raise CodeNotClaimable(reason="exhausted or revoked meanwhile", leaves=failed) from error
        raise
    if row.opens_at is not None and row.id is None:
        raise too_many(row.opens_at, now=now)
    if row.id is None:
        # A concurrent request of the member may have claimed the code. Only a new statement sees what it committed.
        row = connection.execute(statements.SELECT_REASON, parameters).one()
    if row.id is None:
        raise CodeNotClaimable(reason=row.reason, leaves=failed)
    return Claim(
        id=row.id,
        code=row.code,
        value=row.value,
        currency=row.currency,
        claimed_at=row.claimed_at,
        expires_at=row.expires_at,
        created=row.created,
    )
