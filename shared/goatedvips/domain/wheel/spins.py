"""Spins: one a member and UTC day, drawn here from seeds that were committed to beforehand."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection, bindparam, func, insert, literal, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.codes import generator
from goatedvips.domain.wheel import fairness, seeds
from goatedvips.domain.wheel.seeds import ACTIVE, IS_ACTIVE
from goatedvips.domain.wheel.versions import NEWEST, Segment, Wheel
from goatedvips.errors import AlreadySpun
from goatedvips.models.codes import bonus_codes
from goatedvips.models.rewards import rewards
from goatedvips.models.wheel import wheel_seeds, wheel_spins

WIN_LASTS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Fairness:
    """What a spin was drawn from. Bytes are written in hex."""

    server_seed_hash: str
    client_seed: str
    nonce: int
    server_seed: str | None = None


@dataclass(frozen=True, slots=True)
class Spin:
    """A spin as it was drawn and written down."""

    id: int
    segment_index: int
    segment: Segment
    reward_code: str | None
    fairness: Fairness
    next_spin_at: datetime


def next_spin_after(now: datetime) -> datetime:
    """The start of the next UTC day."""
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)


TODAYS_SPIN = select(wheel_spins.c.id).where(
    wheel_spins.c.user_id == CALLER_ID, wheel_spins.c.spin_day == bindparam("today")
)
_player = access.player()
_wheel = NEWEST.subquery("wheel")
# The seed's row stays locked until the spin has taken its nonce: no two spins draw with the same one.
_ready = (
    select(
        ACTIVE.c.id.label("seed_id"),
        ACTIVE.c.server_seed,
        ACTIVE.c.client_seed,
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

# The unique (member, day) decides: everything else hangs on the spin's row, so a second spin leaves nothing behind.
_spin = (
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
_nonce_taken = (
    update(wheel_seeds)
    .where(wheel_seeds.c.id == _spin.c.seed_id)
    .values(nonce=wheel_seeds.c.nonce + 1, client_seed=bindparam("drawn_client_seed"))
    .cte("nonce_taken")
)
_WON_CODE = bindparam("won_code", type_=bonus_codes.c.code.type)
_WON_VALUE = bindparam("won_value", type_=bonus_codes.c.value.type)
_CODE_EXPIRES_AT = bindparam("code_expires_at", type_=bonus_codes.c.expires_at.type)
_code_issued = (
    insert(bonus_codes)
    .from_select(
        ["code", "code_key", "user_id", "claimed_at", "expires_at", "value", "spin_id"],
        select(_WON_CODE, func.code_key(_WON_CODE), _spin.c.user_id, NOW, _CODE_EXPIRES_AT, _WON_VALUE, _spin.c.id),
    )
    .cte("code_issued")
)
_rewarded = (
    insert(rewards)
    .from_select(
        ["user_id", "source_type", "source_id", "amount", "created_at"],
        select(_spin.c.user_id, literal("spin"), _spin.c.id, _WON_VALUE, NOW),
    )
    .cte("rewarded")
)
_lose = select(_spin.c.id).add_cte(_nonce_taken).execution_options(commit_in_flight=True)
_win = _lose.add_cte(_code_issued, _rewarded)


def spin(connection: Connection, caller: Caller, client_seed: str | None, *, now: datetime) -> Spin:
    """Draw the member's spin of this UTC day; a win's code, its reward and the nonce commit with it.

    Parameters
    ----------
    client_seed: the member's part in the draw; none: the one used last.

    Raises
    ------
    AlreadySpun: with the spin's id and when the next one is due.
    Unauthenticated, AccountSuspended, SelfExcluded, EmailUnverified
    """
    parameters = caller.parameters(now)
    ready = connection.execute(_ready, parameters).one_or_none()
    if ready is None:
        access.explain(connection, caller, now=now, playing=True)
        seeds.ensure(connection, caller.user_id, now=now)
        ready = connection.execute(_ready, parameters).one()

    wheel = Wheel.of(ready.version_id, ready.segments)
    client_seed = client_seed or ready.client_seed
    index = fairness.draw(ready.server_seed, client_seed, ready.nonce, [segment.weight for segment in wheel.segments])
    segment = wheel.segments[index]
    code = generator.new_code() if segment.wins else None
    parameters |= {
        "today": now.date(),
        "drawn_index": index,
        "drawn_version": wheel.version,
        "drawn_seed": ready.seed_id,
        "drawn_nonce": ready.nonce,
        "drawn_client_seed": client_seed,
        "won_code": code,
        "won_value": segment.value,
        "code_expires_at": now + WIN_LASTS,
    }
    spin_id = connection.execute(_win if segment.wins else _lose, parameters).scalar_one_or_none()
    if spin_id is None:
        earlier = connection.execute(TODAYS_SPIN, parameters).scalar_one()
        raise AlreadySpun(spin_id=earlier, next_spin_at=next_spin_after(now))
    return Spin(
        id=spin_id,
        segment_index=index,
        segment=segment,
        reward_code=code,
        fairness=Fairness(fairness.commitment(ready.server_seed), client_seed, ready.nonce),
        next_spin_at=next_spin_after(now),
    )
