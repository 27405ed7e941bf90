"""Newsletter subscriptions, and campaigns: mail that staff write to all subscribers or to many members."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

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

# The recipients of a campaign are the rows of `outbox` with its id.
campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("audience", Text, nullable=False),  # newsletter or members
    Column("tiers", JSONB(none_as_null=True)),  # names of tiers: only their members are in the audience; null: all
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),  # Markdown
    Column("html", Text, nullable=False),  # the body, rendered once when it is written, in both forms of a mail
    Column("plain_text", Text, nullable=False),
    Column("send_at", Instant),
    Column("per_day", Integer),  # recipients that are queued in 24 hours at most; null: all at once
    Column("status", Text, nullable=False, server_default="draft"),
    Column("paused_reason", Text),  # staff, overdue, bounces or complaints; null unless it is paused
    Column("created_at", Instant, nullable=False),
    Column("created_by", Integer, ForeignKey("users.id", ondelete="SET NULL"), index=True),
    Column("updated_at", Instant, nullable=False),
    Column("queued_at", Instant),  # when the first recipients were queued
    Column("next_portion_at", Instant),  # when the next recipients are queued; null: none are left
    Column("ended_at", Instant),  # when it was sent or cancelled
    # The window of the brake: mail sent since an instant. `counted_sent` is the number of those until `counted_until`,
    # so that a check counts only the mail since.
    Column("window_began_at", Instant),
    Column("counted_until", Instant),
    Column("counted_sent", Integer, nullable=False, server_default=text("0")),
    Column("final_counts", JSONB(none_as_null=True)),  # written when its rows of the outbox are purged
    CheckConstraint("audience IN ('newsletter', 'members')", name="campaigns_audience_check"),
    CheckConstraint(
        "status IN ('draft', 'scheduled', 'sending', 'paused', 'sent', 'cancelled')", name="campaigns_status_check"
    ),
    CheckConstraint("status <> 'scheduled' OR send_at IS NOT NULL", name="campaigns_scheduled_check"),
    Index("campaigns_scheduled_idx", "send_at", postgresql_where=text("status = 'scheduled'")),
    Index("campaigns_sending_idx", "id", postgresql_where=text("status = 'sending'")),
    Index("campaigns_ended_idx", "ended_at", postgresql_where=text("ended_at IS NOT NULL AND final_counts IS NULL")),
)
