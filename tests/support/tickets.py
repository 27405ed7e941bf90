"""Support tickets and their messages for tests, written straight into the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goatedvips.models.tickets import support_tickets, ticket_messages
from tests.support.rows import insert_row

WRITTEN_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Tickets:
    """Makes tickets and messages."""

    database: sa.Engine

    def new(self, user_id: int | None, **columns: Any) -> int:
        """Insert a ticket of a member, with the given columns changed, and return its id."""
        given: dict[str, Any] = {"user_id": user_id, "subject": "Help", "description": "Please."}
        return insert_row(self.database, support_tickets, **given | columns)

    def write(self, ticket_id: int, **columns: Any) -> int:
        """Insert a message on a ticket, with the given columns changed, and return its id."""
        given: dict[str, Any] = {"ticket_id": ticket_id, "message": "Hello", "created_at": WRITTEN_AT}
        return insert_row(self.database, ticket_messages, **given | columns)
