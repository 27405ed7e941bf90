"""Spins of the wheel: one for each member and UTC day, drawn from server seeds whose hashes were published before."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from goatedvips.connections import Connection
from goatedvips.domain import callers
from goatedvips.domain.callers import Caller
from goatedvips.domain.codes import generator
from goatedvips.domain.wheel import compiled_statements as statements
from goatedvips.domain.wheel import fairness, seeds
from goatedvips.domain.wheel.days import next_day
from goatedvips.domain.wheel.fairness import Fairness, chosen_by
from goatedvips.domain.wheel.segments import Segment, segments_of
from goatedvips.errors import AlreadySpun

WIN_CODE_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Spin:
    """A spin that was drawn.

    Parameters
    ----------
    reward_code: the bonus code that was won; None if the segment is worth nothing.
    """

    id: int
    segment_index: int
    segment: Segment
    reward_code: str | None
    fairness: Fairness
    next_spin_at: datetime


def spin(connection: Connection[Any], caller: Caller, client_seed: str | None, *, now: datetime) -> Spin:
    """Draw the member's spin of this UTC day. The spin, its nonce and a win's code commit together.

    The ledger gets a win's row when the code is claimed.

    Parameters
    ----------
    client_seed: the member's part in the draw; None: the one of their last spin.

    Raises
    ------
    AlreadySpun: carries today's spin's id and when the next spin is allowed.
    Unauthenticated, AccountSuspended, SelfExcluded, EmailUnverified
    """
    parameters = caller.parameters(now) | {"given_client_seed": client_seed}
    seed = callers.one_or_none(connection, statements.LOCK_ACTIVE_SEED, caller, parameters, now=now, playing=True)
    while seed is None:  # an adopted member without seeds, or a concurrent rotation revealed the seed
        seeds.ensure(connection, caller.user_id, now=now)
        seed = callers.one_or_none(connection, statements.LOCK_ACTIVE_SEED, caller, parameters, now=now, playing=True)

    segments = segments_of(seed.segments)
    index = fairness.draw(seed.server_seed, seed.client_seed, seed.nonce, [segment.weight for segment in segments])
    segment = segments[index]
    code = generator.new_code() if segment.wins else None
    parameters |= {
        "today": now.date(),
        "drawn_index": index,
        "drawn_version": seed.version_id,
        "drawn_seed": seed.seed_id,
        "drawn_nonce": seed.nonce,
        "drawn_client_seed": seed.client_seed,
        "won_code": code,
        "won_value": segment.value,
        "code_expires_at": now + WIN_CODE_LIFETIME,
    }
    record = statements.RECORD_WIN if segment.wins else statements.RECORD_LOSS
    spin_id = connection.execute(record, parameters).scalar_one_or_none()
    if spin_id is None:
        earlier = connection.execute(statements.SELECT_TODAYS_SPIN, parameters).scalar_one()
        raise AlreadySpun(spin_id=earlier, next_spin_at=next_day(now))
    return Spin(
        id=spin_id,
        segment_index=index,
        segment=segment,
        reward_code=code,
        fairness=Fairness(
            server_seed_hash=fairness.commitment(seed.server_seed),
            client_seed=seed.client_seed,
            client_seed_by=chosen_by(seed.is_members_choice),
            nonce=seed.nonce,
        ),
        next_spin_at=next_day(now),
    )
