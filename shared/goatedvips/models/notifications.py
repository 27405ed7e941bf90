"""What members wish to be notified of, and the mail that waits to be sent."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.schema import Instant, metadata

notification_preferences = Table(
    "notification_preferences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("wager_race_updates", Boolean, nullable=False, server_default=text("true")),
    Column("vip_status_changes", Boolean, nullable=False, server_default=text("true")),
    Column("promotional_offers", Boolean, nullable=False, server_default=text("true")),
    Column("monthly_statements", Boolean, nullable=False, server_default=text("true")),
    Column("email_notifications", Boolean, nullable=False, server_default=text("true")),
    Column("push_notifications", Boolean, nullable=False, server_default=text("true")),
    Column("updated_at", Instant, nullable=False, server_default=func.now()),
)

# Mail that waits to be sent, written with the effect that it tells of. No row holds a token: the sender makes it.
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, primary_key=True),
    # verification, password_reset, email_change, email_changed, link_decided, newsletter_confirmation, ticket_opened
    Column("kind", Text, nullable=False),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("address", Text),  # null: the staff's
    Column("payload", JSONB, nullable=False, server_default=text("'{}'")),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("leased_until", Instant),
    Column("sent_at", Instant),
    Column("failed_at", Instant),
    Column("last_error", Text),
    Index("outbox_failed_at_idx", "failed_at", postgresql_where=text("failed_at IS NOT NULL")),
    Index("outbox_due_at_idx", "due_at", "id", postgresql_where=text("sent_at IS NULL AND failed_at IS NULL")),
)
