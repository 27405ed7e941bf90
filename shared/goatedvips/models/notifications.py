"""Members' notification preferences, inbox and push subscriptions; the outbox, and what becomes of sent mail."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Time,
    func,
    text,
)
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
    # Null in an adopted row, which then means nothing. A member without a row has the defaults.
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), unique=True),
    # Quiet hours [quiet_from, quiet_to) by the clock of the time zone; all three are null if there are none.
    Column("quiet_from", Time),
    Column("quiet_to", Time),
    Column("time_zone", Text),  # IANA name
    # Since when the member wants promotional offers. They get none without it, whatever `promotional_offers` says.
    Column("promotional_consented_at", Instant),
)

# The members' inbox: what they have been notified of, whatever the channels. Visible from `due_at` on.
notifications = Table(
    "notifications",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),  # a name in domain.notifications.kinds
    Column("payload", JSONB, nullable=False, server_default=text("'{}'")),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("read_at", Instant),
    Index("notifications_user_id_due_at_id_idx", "user_id", "due_at", "id"),
)

# Where a member's browser takes Web Push (RFC 8030), and the keys that messages to it are encrypted with (RFC 8291).
push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("endpoint", Text, nullable=False, unique=True),
    Column("p256dh", Text, nullable=False),
    Column("auth", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # refusals since the last success
    Column("last_success_at", Instant),
)

# Mail and push messages, inserted by the statement whose effect they report. No row holds a token: the sender makes it.
# A row waits until it is sent, given up (`failed_at`) or dropped.
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),  # a name in domain.notifications.kinds
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("address", Text),  # an e-mail address; null: the staff
    Column("payload", JSONB, nullable=False, server_default=text("'{}'")),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("leased_until", Instant),
    Column("sent_at", Instant),
    Column("failed_at", Instant),
    Column("last_error", Text),
    Column("priority", SmallInteger, nullable=False, server_default=text("1")),  # the kind's; a lower one is sent first
    Column("dropped_at", Instant),
    Column("dropped_reason", Text),
    Column("bounced_at", Instant),  # a hard bounce
    Column("complained_at", Instant),
    Column("unsubscribed_at", Instant),  # by the link in this mail, or in another one of its list since
    Column("channel", Text, nullable=False, server_default="mail"),  # or push
    Column("expires_at", Instant),  # from then on it is of no use
    Column("campaign_id", Integer, ForeignKey("campaigns.id")),  # of a campaign's mail
    Column("message_id", Text),  # SES's, once it is sent; of a push message the batch that it was leased in last
    # Null for mail, and for a push message whose subscription has ended.
    Column("push_subscription_id", Integer, ForeignKey("push_subscriptions.id", ondelete="SET NULL")),
    Index("outbox_message_id_idx", "message_id", postgresql_where=text("message_id IS NOT NULL")),
    Index("outbox_failed_at_idx", "failed_at", postgresql_where=text("failed_at IS NOT NULL")),
    # One row a campaign and mailbox; the others are for the turns, the counts and the brake of each campaign.
    Index(
        "outbox_recipients_idx",
        text("lower(address)"),
        "campaign_id",
        unique=True,
        postgresql_where=text("campaign_id IS NOT NULL"),
    ),
    Index(
        "outbox_campaign_turn_idx",
        "campaign_id",
        "due_at",
        "id",
        postgresql_where=text(
            "campaign_id IS NOT NULL AND sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"
        ),
    ),
    Index("outbox_campaign_sent_idx", "campaign_id", "sent_at", postgresql_where=text("campaign_id IS NOT NULL")),
    Index("outbox_campaign_bounced_idx", "campaign_id", "sent_at", postgresql_where=text("bounced_at IS NOT NULL")),
    Index(
        "outbox_campaign_complained_idx",
        "campaign_id",
        "sent_at",
        postgresql_where=text("complained_at IS NOT NULL"),
    ),
    Index(
        "outbox_push_subscription_id_idx",
        "push_subscription_id",
        postgresql_where=text("push_subscription_id IS NOT NULL"),
    ),
    Index(
        "outbox_campaign_push_turn_idx",
        text("(payload ->> 'campaign_id')"),
        "due_at",
        "id",
        postgresql_where=text(
            "channel = 'push' AND kind = 'campaign' AND sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"
        ),
    ),
    Index(
        "outbox_channel_turn_idx",
        "channel",
        "priority",
        "due_at",
        "id",
        postgresql_where=text("sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"),
    ),
)

# One row. Each lease locks it, so that all runs of the sender together keep within SES's rate.
sender_state = Table(
    "sender_state",
    metadata,
    Column(
        "id",
        SmallInteger,
        CheckConstraint("id = 1", name="sender_state_one_row"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("second", Instant),  # the last second in which mail was leased
    Column("taken", Integer, nullable=False, server_default=text("0")),  # rows leased in that second
    Column("staff_mailed_at", Instant),  # when staff were last mailed about tickets
    # The latest expiry of a bonus code whose owner was reminded of it, or did not have to be.
    Column("expiry_noticed_until", Instant),
)

# E-mail addresses that get no mail: after a hard bounce none but critical mail, tried once in 24 hours; after a
# complaint none but critical mail. A row ends when its address is proved again.
mail_blocks = Table(
    "mail_blocks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email_key", Text, nullable=False, unique=True),  # in lower case
    Column("bounced_at", Instant),
    Column("complained_at", Instant),
    Column("critical_tried_at", Instant),  # since the bounce
    Column("critical_outbox_id", BigInteger),  # the mail of that try, which may be retried
)

# The messages of Amazon SNS that were handled, because it may deliver one twice.
mail_events = Table(
    "mail_events",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("received_at", Instant, nullable=False),
)

# Keys that sign unsubscribe tokens: the newest signs, all verify. Only the SQL function unsubscribe_signatures reads
# them.
unsubscribe_keys = Table(
    "unsubscribe_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)
