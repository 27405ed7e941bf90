"""Support tickets and their messages."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, func, text

from goatedvips.models.schema import Instant, metadata

support_tickets = Table(
    "support_tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("subject", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),  # open, in_progress, closed
    Column("priority", Text, nullable=False, server_default="medium"),  # low, medium, high
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("updated_at", Instant, nullable=False, server_default=func.now()),
    Index("support_tickets_user_id_id_idx", "user_id", "id"),
    Index("support_tickets_waiting_idx", "priority", "created_at", postgresql_where=text("status <> 'closed'")),
)

ticket_messages = Table(
    "ticket_messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", Integer, ForeignKey("support_tickets.id")),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("message", Text, nullable=False),
    Column("created_at", Instant, nullable=False, server_default=func.now()),
    Column("is_staff_reply", Boolean, nullable=False, server_default=text("false")),
    Column("is_internal", Boolean, nullable=False, server_default=text("false")),
    Index("ticket_messages_ticket_id_id_idx", "ticket_id", "id"),
    Index("ticket_messages_user_id_id_idx", "user_id", "id"),
)
