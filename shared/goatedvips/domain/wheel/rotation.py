"""Rotation: reveals the active server seed, so that its spins can be verified, and activates the upcoming one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, LargeBinary, Row, bindparam, cast, func, insert, select, true, update

from goatedvips.domain import access, pagination
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.pagination import Keyset
from goatedvips.domain.wheel import fairness, seeds
from goatedvips.domain.wheel.seed_statements import IS_ACTIVE_ROW, IS_UPCOMING_ROW
from goatedvips.errors import SeedUnused
from goatedvips.models.wheel import wheel_seeds


@dataclass(frozen=True, slots=True)
class Seed:
    """One server seed of a member.

    Parameters
    ----------
    server_seed_hash: its commitment, SHA-256 in hex.
    server_seed: in hex; None until it is revealed.
    spins: how many spins were drawn from it.
    chosen_client_seed: the client seed that the member chose with the rotation that activated it; None: none.
    """

    id: int
    server_seed_hash: str
    server_seed: str | None
    spins: int
    chosen_client_seed: str | None
    created_at: datetime
    activated_at: datetime | None
    revealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation of a member's server seeds.

    Parameters
    ----------
    revealed: the seed that was active.
    server_seed_hash, next_server_seed_hash: SHA-256 in hex of the seed that is active now, and of the new upcoming one.
    client_seed: the client seed of the next spin, unless its request brings another one.
    """

    revealed: Seed
    server_seed_hash: str
    next_server_seed_hash: str
    client_seed: str


def _seed(row: Row[*tuple[Any, ...]]) -> Seed:
    return Seed(
        id=row.id,
        server_seed_hash=fairness.commitment(row.server_seed),
        server_seed=row.server_seed.hex() if row.revealed_at else None,
        spins=row.nonce,
        chosen_client_seed=row.chosen_client_seed,
        created_at=row.created_at,
        activated_at=row.activated_at,
        revealed_at=row.revealed_at,
    )


_member = access.member()
# The row lock of the update decides. A spin in flight holds it, and this statement then counts that spin; a spin that
# waits for this statement finds the seed revealed, and is drawn from the next one.
_reveal_active = (
    update(wheel_seeds)
    .where(wheel_seeds.c.user_id == _member.c.id, IS_ACTIVE_ROW, wheel_seeds.c.nonce > 0)
    .values(revealed_at=NOW)
    .returning(*wheel_seeds.c)
    .cte("revealed")
)
# Each of these reads what the one before returned, so the unique keys of active and upcoming seeds hold throughout.
_CHOSEN = bindparam("given_client_seed", type_=wheel_seeds.c.chosen_client_seed.type)
_activate_upcoming = (
    update(wheel_seeds)
    .where(wheel_seeds.c.user_id == _reveal_active.c.user_id, IS_UPCOMING_ROW)
    .values(
        activated_at=NOW,
        chosen_client_seed=_CHOSEN,
        client_seed=func.coalesce(_CHOSEN, _reveal_active.c.client_seed),
    )
    .returning(wheel_seeds.c.user_id, wheel_seeds.c.server_seed, wheel_seeds.c.client_seed)
    .cte("activated")
)
_insert_upcoming = (
    insert(wheel_seeds)
    .from_select(
        ["user_id", "server_seed", "client_seed", "created_at"],
        select(
            _activate_upcoming.c.user_id,
            cast(bindparam("new_seed"), LargeBinary),  # in a SELECT an untyped parameter has the type text
            _activate_upcoming.c.client_seed,
            NOW,
        ),
    )
    .cte("upcoming")
)
_rotate = (
    select(
        *_reveal_active.c,
        _activate_upcoming.c.server_seed.label("next_seed"),
        _activate_upcoming.c.client_seed.label("next_client_seed"),
    )
    .select_from(_reveal_active)
    .join(_activate_upcoming, true())
    .add_cte(_insert_upcoming)
    .execution_options(commit_in_flight=True)
)


def rotate(connection: Connection, caller: Caller, client_seed: str | None, *, now: datetime) -> Rotation:
    """Reveal the member's active server seed, activate the upcoming one and make a new upcoming one.

    Parameters
    ----------
    client_seed: the client seed of the next spins; None: the last one.

    Raises
    ------
    SeedUnused: no spin was drawn from the active server seed.
    Unauthenticated, AccountSuspended
    """
    new_seed = seeds.new_seed()
    parameters = caller.parameters(now) | {"given_client_seed": client_seed, "new_seed": new_seed}
    row = connection.execute(_rotate, parameters).one_or_none()
    if row is None:
        # A concurrent rotation may have revealed the seed. Only a new statement sees the seed that it activated.
        row = access.one_or_none(connection, _rotate, caller, parameters, now=now)
    if row is None:
        raise SeedUnused
    return Rotation(
        revealed=_seed(row),
        server_seed_hash=fairness.commitment(row.next_seed),
        next_server_seed_hash=fairness.commitment(new_seed),
        client_seed=row.next_client_seed,
    )


_NEWEST_FIRST = Keyset(wheel_seeds.c.id)
_select_seeds = _NEWEST_FIRST.page_of(select(*wheel_seeds.c).where(wheel_seeds.c.user_id == CALLER_ID))


def newest(connection: Connection, caller: Caller, *, limit: int, cursor: str | None) -> pagination.Page[Seed]:
    """Return a page of the member's server seeds, newest first: the upcoming one, the active one, the revealed ones.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    parameters = {"caller_id": caller.user_id}
    return pagination.newest(connection, _select_seeds, parameters, _seed, by=_NEWEST_FIRST, limit=limit, cursor=cursor)
