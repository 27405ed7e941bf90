"""Spins of the wheel: one for each member and UTC day, drawn from server seeds whose hashes were published before."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, CALLER_PARAMETERS, NOW, Caller
from goatedvips.domain.codes import generator
from goatedvips.domain.first_statements import compile_at_import
from goatedvips.domain.wheel import fairness, seeds
from goatedvips.domain.wheel.client_seeds import chosen_by, is_members_choice
from goatedvips.domain.wheel.days import next_day
from goatedvips.domain.wheel.fairness import Fairness
from goatedvips.domain.wheel.seeds import ACTIVE, IS_ACTIVE
from goatedvips.domain.wheel.versions import Segment, segments_of, select_version_in_force
from goatedvips.errors import AlreadySpun
from goatedvips.models.codes import bonus_codes
from goatedvips.models.wheel import wheel_seeds, wheel_spins

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


select_todays_spin = select(wheel_spins.c.id).where(
    wheel_spins.c.user_id == CALLER_ID, wheel_spins.c.spin_day == bindparam("today")
)
_player = access.player()
_wheel = select_version_in_force.subquery("wheel")
_CLIENT_SEED = func.coalesce(bindparam("given_client_seed", type_=ACTIVE.c.client_seed.type), ACTIVE.c.client_seed)
# FOR UPDATE on the seed's row until commit: two spins never draw with the same nonce.
_lock_active_seed = (
    select(
        ACTIVE.c.id.label("seed_id"),
        ACTIVE.c.server_seed,
        _CLIENT_SEED.label("client_seed"),
        is_members_choice(_player.c.id, _CLIENT_SEED, ACTIVE.c.created_at, NOW).label("is_members_choice"),
        ACTIVE.c.nonce,
        _wheel.c.id.label("version_id"),
        _wheel.c.segments,
    )
    .select_from(_player)
    .join(ACTIVE, ACTIVE.c.user_id == _player.c.id)
    .join(_wheel, true())
    .where(*IS_ACTIVE)
    .with_for_update(of=ACTIVE)
)
compile_at_import(_lock_active_seed, CALLER_PARAMETERS | {"given_client_seed"})

# The unique key (user_id, spin_day) decides. The other CTEs read the inserted row, so a second spin writes nothing.
_insert_spin = (
    upsert(wheel_spins)
    .values(
        user_id=CALLER_ID,
        segment_index=bindparam("drawn_index"),
        reward_code=bindparam("won_code"),
        timestamp=NOW,
        spin_day=bindparam("today"),
        version_id=bindparam("drawn_version"),
        seed_id=bindparam("drawn_seed"),
        nonce=bindparam("drawn_nonce"),
        client_seed=bindparam("drawn_client_seed"),
    )
    .on_conflict_do_nothing(index_elements=["user_id", "spin_day"])
    .returning(wheel_spins.c.id, wheel_spins.c.user_id, wheel_spins.c.seed_id)
    .cte("spin")
)
_increment_nonce = (
    update(wheel_seeds)
    .where(wheel_seeds.c.id == _insert_spin.c.seed_id)
    .values(nonce=wheel_seeds.c.nonce + 1, client_seed=bindparam("drawn_client_seed"))
    .cte("incremented")
)
_WON_CODE = bindparam("won_code", type_=bonus_codes.c.code.type)
_WON_VALUE = bindparam("won_value", type_=bonus_codes.c.value.type)
_CODE_EXPIRES_AT = bindparam("code_expires_at", type_=bonus_codes.c.expires_at.type)
_insert_code = (
    insert(bonus_codes)
    .from_select(
        ["code", "code_key", "user_id", "claimed_at", "expires_at", "value", "spin_id"],
        select(
            _WON_CODE,
            func.code_key(_WON_CODE),
            _insert_spin.c.user_id,
            NOW,
            _CODE_EXPIRES_AT,
            _WON_VALUE,
            _insert_spin.c.id,
        ),
    )
    .cte("code")
)
_record_loss = select(_insert_spin.c.id).add_cte(_increment_nonce).execution_options(commit_in_flight=True)
_record_win = _record_loss.add_cte(_insert_code)


def spin(connection: Connection, caller: Caller, client_seed: str | None, *, now: datetime) -> Spin:
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
    seed = access.one_or_none(connection, _lock_active_seed, caller, parameters, now=now, playing=True)
    while seed is None:  # an adopted member without seeds, or a concurrent rotation revealed the seed
        seeds.ensure(connection, caller.user_id, now=now)
        seed = access.one_or_none(connection, _lock_active_seed, caller, parameters, now=now, playing=True)

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
    spin_id = connection.execute(_record_win if segment.wins else _record_loss, parameters).scalar_one_or_none()
    if spin_id is None:
        earlier = connection.execute(select_todays_spin, parameters).scalar_one()
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
