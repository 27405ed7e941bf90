"""What a member sees before a spin: the commitments to their server seeds, and the inputs of their next draw."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_PARAMETERS, Caller
from goatedvips.domain.first_statements import compile_at_import
from goatedvips.domain.wheel import fairness, seeds
from goatedvips.domain.wheel.days import next_day
from goatedvips.domain.wheel.seed_statements import ACTIVE, IS_ACTIVE
from goatedvips.domain.wheel.spin_statements import select_todays_spin
from goatedvips.models.wheel import wheel_seeds


@dataclass(frozen=True, slots=True)
class MyWheel:
    """The commitments to a member's two server seeds, and the inputs of their next draw.

    Parameters
    ----------
    server_seed_hash, next_server_seed_hash: SHA-256 in hex of the active and of the upcoming server seed.
    next_spin_at: when the next spin is allowed; None: now.
    """

    server_seed_hash: str
    next_server_seed_hash: str
    nonce: int
    client_seed: str
    next_spin_at: datetime | None


_upcoming = wheel_seeds.alias("upcoming")
_member = access.member()
_select_my_wheel = (
    select(
        ACTIVE.c.server_seed,
        _upcoming.c.server_seed.label("next_server_seed"),
        ACTIVE.c.nonce,
        ACTIVE.c.client_seed,
        select_todays_spin.scalar_subquery().label("todays_spin_id"),
    )
    .select_from(_member)
    .join(ACTIVE, ACTIVE.c.user_id == _member.c.id)
    .join(_upcoming, _upcoming.c.user_id == _member.c.id)
    .where(*IS_ACTIVE, _upcoming.c.activated_at.is_(None))
    .execution_options(commit_in_flight=True)
)
compile_at_import(_select_my_wheel, CALLER_PARAMETERS | {"today"})


def get(connection: Connection, caller: Caller, *, now: datetime) -> MyWheel:
    """What the member can know before a spin. An adopted member gets their first server seeds here.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now) | {"today": now.date()}
    row = access.one_or_none(connection, _select_my_wheel, caller, parameters, now=now)
    if row is None:
        seeds.ensure(connection, caller.user_id, now=now)
        row = connection.execute(_select_my_wheel, parameters).one()
    return MyWheel(
        server_seed_hash=fairness.commitment(row.server_seed),
        next_server_seed_hash=fairness.commitment(row.next_server_seed),
        nonce=row.nonce,
        client_seed=row.client_seed,
        next_spin_at=next_day(now) if row.todays_spin_id else None,
    )
