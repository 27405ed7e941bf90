"""A member's claims of codes."""

from sqlalchemy import Connection, false, select

from goatedvips.domain import pagination
from goatedvips.domain.access import CALLER_ID, Caller
from goatedvips.domain.codes.claims import Claim
from goatedvips.domain.pagination import Keyset
from goatedvips.models.codes import bonus_codes, code_claims

_NEWEST_FIRST = Keyset(code_claims.c.id)
_select_claims = _NEWEST_FIRST.page_of(
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


def newest(connection: Connection, caller: Caller, *, limit: int, cursor: str | None) -> pagination.Page[Claim]:
    """A page of the member's claims, newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    return pagination.newest(
        connection,
        _select_claims,
        {"caller_id": caller.user_id},
        lambda row: Claim(**row._mapping),
        by=_NEWEST_FIRST,
        limit=limit,
        cursor=cursor,
    )
