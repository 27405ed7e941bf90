"""Newsletter subscriptions."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, func, text

from goatedvips.models.schema import Instant, metadata

newsletter_subscriptions = Table(
    "newsletter_subscriptions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("is_subscribed", Boolean, nullable=False, server_default=text("true")),
    Column("subscribed_at", Instant, nullable=False, server_default=func.now()),
    Column("unsubscribed_at", Instant),
    Column("source", Text),
    Column("email_key", Text, unique=True),  # in lower case; null in an adopted row if an older row has the same key
    Column("confirmation_sent_at", Instant),
    Column("confirmed_at", Instant),  # null in adopted rows, which count as confirmed
    Column("consent_address", Text),  # the client network that the confirmation came from
    Column("second_last_confirmation_at", Instant),  # the confirmation mails before `confirmation_sent_at`
    Column("third_last_confirmation_at", Instant),
    Index(
        "newsletter_subscriptions_pending_idx",
        "confirmation_sent_at",
        postgresql_where=text(
            "NOT is_subscribed AND confirmed_at IS NULL AND unsubscribed_at IS NULL"
            " AND confirmation_sent_at IS NOT NULL"
        ),
    ),
    Index("newsletter_subscriptions_without_key_idx", text("lower(email)"), postgresql_where=text("email_key IS NULL")),
)
