"""The server seeds of the wheel: random, committed to by their SHA-256, and revealed when they are used up."""

import secrets
from datetime import datetime

from sqlalchemy import CTE, Connection, Insert, LargeBinary, Text, bindparam, cast, null, select, union_all
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import NOW
from goatedvips.models.accounts import users
from goatedvips.models.wheel import wheel_seeds

ACTIVE = wheel_seeds.alias("active")
IS_ACTIVE = (ACTIVE.c.activated_at.is_not(None), ACTIVE.c.revealed_at.is_(None))

# Cast, because a UNION would take what has no type of its own for text.
_ACTIVE_SEED = cast(bindparam("active_seed"), LargeBinary)
_UPCOMING_SEED = cast(bindparam("upcoming_seed"), LargeBinary)


def first_two(owner: CTE) -> Insert:
    """Make the first two server seeds of the member in this part, unless they are there; bound to `fresh`."""
    client_seed = cast(owner.c.id, Text)
    pair = union_all(
        select(owner.c.id, _ACTIVE_SEED, client_seed, NOW, NOW),
        select(owner.c.id, _UPCOMING_SEED, client_seed, NOW, null()),
    )
    return (
        upsert(wheel_seeds)
        .from_select(["user_id", "server_seed", "client_seed", "created_at", "activated_at"], pair)
        .on_conflict_do_nothing()
    )


def fresh() -> dict[str, bytes]:
    """Two seeds that nobody has seen, the active and the upcoming one."""
    return {"active_seed": secrets.token_bytes(32), "upcoming_seed": secrets.token_bytes(32)}


_seeds = first_two(select(bindparam("owner", type_=users.c.id.type).label("id")).cte("owner")).execution_options(
    commit_in_flight=True
)


def ensure(connection: Connection, user_id: int, *, now: datetime) -> None:
    """Make a member's first two server seeds, the active and the upcoming one, unless they are there."""
    connection.execute(_seeds, {"owner": user_id, "now": now} | fresh())
