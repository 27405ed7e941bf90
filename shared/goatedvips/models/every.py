"""Every table at once, for what must see the whole schema: alembic, relations and tests. Handlers import one domain."""

from goatedvips.models import (
    accounts,
    codes,
    newsletter,
    notifications,
    operations,
    races,
    rewards,
    tickets,
    wagers,
    wheel,
)
from goatedvips.models.schema import metadata

__all__ = [
    "accounts",
    "codes",
    "metadata",
    "newsletter",
    "notifications",
    "operations",
    "races",
    "rewards",
    "tickets",
    "wagers",
    "wheel",
]
