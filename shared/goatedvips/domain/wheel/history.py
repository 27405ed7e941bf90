"""A member's spins, with what verifies them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, literal_column, select

from goatedvips.domain import pagination
from goatedvips.domain.access import CALLER_ID, Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.wheel import fairness
from goatedvips.domain.wheel.client_seeds import is_members_choice
from goatedvips.domain.wheel.fairness import Fairness, chosen_by
from goatedvips.domain.wheel.segments import Segment, segments_of
from goatedvips.errors import NotFound
from goatedvips.models.wheel import wheel_seeds, wheel_spins, wheel_versions


@dataclass(frozen=True, slots=True)
class PastSpin:
    """A spin of a member.

    Parameters
    ----------
    version, published_at: of the wheel that it was drawn on; None: of an adopted spin, as are all others that are None.
    segments: of that wheel, in order.
    segment: the drawn one.
    """

    id: int
    spun_at: datetime
    segment_index: int
    segment: Segment | None
    reward_code: str | None
    version: int | None
    published_at: datetime | None
    segments: list[Segment] | None
    fairness: Fairness | None


_select_spins = (
    select(
        wheel_spins.c.id,
        wheel_spins.c.timestamp.label("spun_at"),
        wheel_spins.c.segment_index,
        wheel_spins.c.reward_code,
        wheel_spins.c.version_id,
        wheel_spins.c.client_seed,
        wheel_spins.c.nonce,
        wheel_versions.c.segments,
        wheel_versions.c.created_at.label("published_at"),
        wheel_seeds.c.server_seed,
        wheel_seeds.c.revealed_at,
        is_members_choice(wheel_spins.c.user_id, wheel_spins.c.client_seed, wheel_seeds.c.created_at).label(
            "is_members_choice"
        ),
    )
    .outerjoin(wheel_seeds, wheel_seeds.c.id == wheel_spins.c.seed_id)
    .outerjoin(wheel_versions, wheel_versions.c.id == wheel_spins.c.version_id)
    .where(wheel_spins.c.user_id == CALLER_ID)
)
_NEWEST_FIRST = Keyset(wheel_spins.c.id)
# The second condition is that of the index on a member's spins.
_select_page = _NEWEST_FIRST.page_of(_select_spins.where(wheel_spins.c.id > literal_column("0")))
_select_spin = _select_spins.where(wheel_spins.c.id == bindparam("spin_id", type_=wheel_spins.c.id.type))


def _past_spin(row: Row[*tuple[Any, ...]]) -> PastSpin:
    segments = None if row.segments is None else segments_of(row.segments)
    return PastSpin(
        id=row.id,
        spun_at=row.spun_at,
        segment_index=row.segment_index,
        segment=segments[row.segment_index] if segments else None,
        reward_code=row.reward_code,
        version=row.version_id,
        published_at=row.published_at,
        segments=segments,
        fairness=None
        if row.server_seed is None
        else Fairness(
            server_seed_hash=fairness.commitment(row.server_seed),
            client_seed=row.client_seed,
            client_seed_by=chosen_by(row.is_members_choice),
            nonce=row.nonce,
            server_seed=row.server_seed.hex() if row.revealed_at else None,
        ),
    )


def newest(connection: Connection, caller: Caller, *, limit: int, cursor: str | None) -> pagination.Page[PastSpin]:
    """Return a page of the member's spins, newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    parameters = {"caller_id": caller.user_id}
    return pagination.newest(
        connection, _select_page, parameters, _past_spin, by=_NEWEST_FIRST, limit=limit, cursor=cursor
    )


def get(connection: Connection, caller: Caller, spin_id: int) -> PastSpin:
    """Return one spin of the member.

    Raises
    ------
    NotFound: there is no such spin, or it is another member's.
    """
    row = connection.execute(_select_spin, {"caller_id": caller.user_id, "spin_id": spin_id}).one_or_none()
    if row is None:
        raise NotFound
    return _past_spin(row)
