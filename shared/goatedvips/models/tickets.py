"""Support tickets and their messages."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, func, text

from goatedvips.models.schema import Instant, metadata

# Tickets on which nobody waits for staff come last, in the order of their ids.
QUEUE_POSITION = "COALESCE(waiting_since, '9999-12-31 00:00:00'::timestamp without time zone)"
"""What the staff's queue is ordered by, as SQL."""
# Cut, because an adopted text may have more words than a tsvector holds, and an insert of one must not fail.
TICKET_WORDS = "to_tsvector('simple'::regconfig, \"left\"((subject || ' '::text) || description, 20000))"
"""The words of a ticket that a search finds, as SQL."""
MESSAGE_WORDS = "to_tsvector('simple'::regconfig, \"left\"(message, 20000))"
"""The words of a message that a search finds, as SQL."""
_queue_position = text(QUEUE_POSITION)

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
    Column("assignee_id", Integer, ForeignKey("users.id", ondelete="SET NULL")),  # who of the staff takes care of it
    # Only triggers write these three, for messages of the legacy application too; internal notes change none of them.
    # The member's first message that no public staff reply follows; null: staff wrote last, or the ticket is closed.
    Column("waiting_since", Instant),
    Column("staff_replied_at", Instant),  # the last public message, if staff wrote it
    Column("closed_at", Instant),  # when it was last closed
    Index("support_tickets_user_id_id_idx", "user_id", "id"),
    Index("support_tickets_queue_idx", _queue_position, "id", postgresql_where=text("status <> 'closed'")),
    Index(
        "support_tickets_queue_by_priority_idx",
        "priority",
        _queue_position,
        "id",
        postgresql_where=text("status <> 'closed'"),
    ),
    Index(
        "support_tickets_queue_by_assignee_idx",
        text("COALESCE(assignee_id, 0)"),
        _queue_position,
        "id",
        postgresql_where=text("status <> 'closed'"),
    ),
    Index("support_tickets_by_status_idx", "status", _queue_position, "id"),
    Index(
        "support_tickets_stale_idx",
        "staff_replied_at",
        postgresql_where=text("staff_replied_at IS NOT NULL AND status <> 'closed'"),
    ),
    Index("support_tickets_words_idx", text(TICKET_WORDS), postgresql_using="gin"),
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
    Index("ticket_messages_words_idx", text(MESSAGE_WORDS), postgresql_using="gin"),
)
