"""A member's wheel: the commitments, and what their next spin will be drawn with."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from goatedvips.domain import access
from goatedvips.domain.access import Caller
from goatedvips.domain.wheel import fairness, seeds
from goatedvips.domain.wheel.seeds import ACTIVE, IS_ACTIVE
from goatedvips.domain.wheel.spins import TODAYS_SPIN, next_spin_after
from goatedvips.models.wheel import wheel_seeds


@dataclass(frozen=True, slots=True)
class MyWheel:
    """A member's commitments and what their next spin will be drawn with."""

    server_seed_hash: str
    next_server_seed_hash: str
    nonce: int
    client_seed: str
    next_spin_at: datetime | None


_upcoming = wheel_seeds.alias("upcoming")
_member = access.member()
_mine = (
    select(
        ACTIVE.c.server_seed,
        _upcoming.c.server_seed.label("next_server_seed"),
        ACTIVE.c.nonce,
        ACTIVE.c.client_seed,
        TODAYS_SPIN.scalar_subquery().label("spun_today"),
    )
    .select_from(_member)
    .join(ACTIVE, ACTIVE.c.user_id == _member.c.id)
    .join(_upcoming, _upcoming.c.user_id == _member.c.id)
    .where(*IS_ACTIVE, _upcoming.c.activated_at.is_(None))
    .execution_options(commit_in_flight=True)
)


def mine(connection: Connection, caller: Caller, *, now: datetime) -> MyWheel:
    """What the member can know before a spin. An adopted member gets their first seeds here.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now) | {"today": now.date()}
    row = connection.execute(_mine, parameters).one_or_none()
    if row is None:
        access.explain(connection, caller, now=now)
        seeds.ensure(connection, caller.user_id, now=now)
        row = connection.execute(_mine, parameters).one()
    return MyWheel(
        server_seed_hash=fairness.commitment(row.server_seed),
        next_server_seed_hash=fairness.commitment(row.next_server_seed),
        nonce=row.nonce,
        client_seed=row.client_seed,
        next_spin_at=next_spin_after(now) if row.spun_today else None,
    )
