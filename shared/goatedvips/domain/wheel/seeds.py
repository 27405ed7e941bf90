"""Server seeds of the wheel: random bytes, of which the SHA-256 is published before they are used.

A member has one active seed, which spins are drawn from, and one upcoming seed, which becomes the active one when the
active one is revealed.
"""

import secrets
from datetime import datetime
from typing import Any

from goatedvips.connections import Connection
from goatedvips.domain.wheel import compiled_statements


def new_seed() -> bytes:
    """Return a new random server seed of 32 bytes."""
    return secrets.token_bytes(32)


def new_seeds() -> dict[str, bytes]:
    """Two new random server seeds, as parameters of `seed_statements.insert_first_seeds`."""
    return {"active_seed": new_seed(), "upcoming_seed": new_seed()}


def ensure(connection: Connection[Any], user_id: int, *, now: datetime) -> None:
    """Insert the member's active and upcoming server seeds, unless the member has them."""
    connection.execute(compiled_statements.INSERT_SEEDS, {"owner": user_id, "now": now} | new_seeds())
