"""The statements of server seeds; see `goatedvips.domain.wheel.seeds`."""

from sqlalchemy import CTE, Insert, LargeBinary, Text, and_, bindparam, cast, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import NOW
from goatedvips.models.accounts import users
from goatedvips.models.wheel import wheel_seeds

ACTIVE = wheel_seeds.alias("active")
IS_ACTIVE = (ACTIVE.c.activated_at.is_not(None), ACTIVE.c.revealed_at.is_(None))

IS_ACTIVE_ROW = and_(wheel_seeds.c.activated_at.is_not(None), wheel_seeds.c.revealed_at.is_(None))
IS_UPCOMING_ROW = wheel_seeds.c.activated_at.is_(None)

# The casts are needed: PostgreSQL gives an untyped parameter in a SELECT the type text.
_ACTIVE_SEED = cast(bindparam("active_seed"), LargeBinary)
_UPCOMING_SEED = cast(bindparam("upcoming_seed"), LargeBinary)


def insert_first_seeds(owner: CTE) -> Insert:
    """The insert of a member's active and upcoming server seeds. It does nothing if the member has seeds.

    Parameters
    ----------
    owner: a CTE whose column `id` is the member's.

    The statement also needs the parameters of `seeds.new_seeds`, and `now`.
    """
    client_seed = cast(owner.c.id, Text)
    active = (
        upsert(wheel_seeds)
        .from_select(
            ["user_id", "server_seed", "client_seed", "created_at", "activated_at"],
            select(owner.c.id, _ACTIVE_SEED, client_seed, NOW, NOW),
        )
        .on_conflict_do_nothing(
            index_elements=["user_id"],
            index_where=IS_ACTIVE_ROW,
        )
        .returning(wheel_seeds.c.user_id)
        .cte("active_seed_row")
    )
    # A member has both or neither, so the row of the active one decides for both.
    return insert(wheel_seeds).from_select(
        ["user_id", "server_seed", "client_seed", "created_at"],
        select(active.c.user_id, _UPCOMING_SEED, cast(active.c.user_id, Text), NOW),
    )


_owner = select(bindparam("owner", type_=users.c.id.type).label("id")).cte("owner")
insert_seeds = insert_first_seeds(_owner).execution_options(commit_in_flight=True)
