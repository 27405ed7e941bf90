"""All tables, for alembic, relations and tests. Handlers import only the tables that they use."""

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
