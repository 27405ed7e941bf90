"""The statements of a spin; `goatedvips.domain.wheel.spins` executes them."""

from sqlalchemy import bindparam, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, NOW
from goatedvips.domain.wheel.client_seeds import is_members_choice
from goatedvips.domain.wheel.seed_statements import ACTIVE, IS_ACTIVE
from goatedvips.domain.wheel.versions import select_version_in_force
from goatedvips.models.codes import bonus_codes
from goatedvips.models.wheel import wheel_seeds, wheel_spins

select_todays_spin = select(wheel_spins.c.id).where(
    wheel_spins.c.user_id == CALLER_ID, wheel_spins.c.spin_day == bindparam("today")
)
_player = access.player()
_wheel = select_version_in_force.subquery("wheel")
_CLIENT_SEED = func.coalesce(bindparam("given_client_seed", type_=ACTIVE.c.client_seed.type), ACTIVE.c.client_seed)
# FOR UPDATE on the seed's row until commit: two spins never draw with the same nonce.
lock_active_seed = (
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
record_loss = select(_insert_spin.c.id).add_cte(_increment_nonce).execution_options(commit_in_flight=True)
record_win = record_loss.add_cte(_insert_code)
