"""Support tickets and their messages for tests, written straight into the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from goatedvips.models.notifications import outbox
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

    def row(self, ticket_id: int) -> sa.Row[Any]:
        """Return the row of a ticket."""
        with self.database.connect() as connection:
            return connection.execute(sa.select(support_tickets).where(support_tickets.c.id == ticket_id)).one()

    def messages(self, ticket_id: int) -> list[sa.Row[Any]]:
        """Return the messages of a ticket, oldest first."""
        rows = sa.select(ticket_messages).where(ticket_messages.c.ticket_id == ticket_id)
        with self.database.connect() as connection:
            return list(connection.execute(rows.order_by(ticket_messages.c.id)).all())

    def mails(self, kind: str, **payload: int) -> list[sa.Row[Any]]:
        """Return the mails of a kind in the outbox whose payload contains this."""
        rows = sa.select(outbox).where(outbox.c.kind == kind, outbox.c.payload.contains(payload))
        with self.database.connect() as connection:
            return list(connection.execute(rows).all())
