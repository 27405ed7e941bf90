"""Members' notification preferences with consent and quiet hours, their inbox, push subscriptions, and rows for push.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "preferences_and_inbox"
down_revision = "unsubscribe_and_bounces"

NOTIFICATIONS = """
CREATE TABLE IF NOT EXISTS notifications (
    id bigserial CONSTRAINT notifications_pkey PRIMARY KEY,
    user_id integer NOT NULL
        CONSTRAINT notifications_user_id_users_id_fk REFERENCES users (id) ON DELETE CASCADE,
    kind text NOT NULL,
    payload jsonb DEFAULT '{}' NOT NULL,
    created_at timestamp NOT NULL,
    due_at timestamp NOT NULL,
    read_at timestamp
)
"""
PUSH_SUBSCRIPTIONS = """
CREATE TABLE IF NOT EXISTS push_subscriptions (
    id serial CONSTRAINT push_subscriptions_pkey PRIMARY KEY,
    user_id integer NOT NULL
        CONSTRAINT push_subscriptions_user_id_users_id_fk REFERENCES users (id) ON DELETE CASCADE,
    endpoint text NOT NULL CONSTRAINT push_subscriptions_endpoint_unique UNIQUE,
    p256dh text NOT NULL,
    auth text NOT NULL,
    created_at timestamp NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    last_success_at timestamp
)
"""
# Nobody writes to these tables yet, so an index needs no care.
INDEXES_OF_NEW_TABLES = (
    "notifications_user_id_due_at_id_idx ON notifications (user_id, due_at, id)",
    "push_subscriptions_user_id_idx ON push_subscriptions (user_id)",
)


def upgrade() -> None:
    """Add tables, columns, and the index of waiting rows by channel; the version before goes on working."""
    online.change(NOTIFICATIONS, PUSH_SUBSCRIPTIONS, locks=["users"])
    online.change(*(f"CREATE INDEX IF NOT EXISTS {index}" for index in INDEXES_OF_NEW_TABLES))
    online.add_columns(
        "notification_preferences",
        "user_id integer",
        "quiet_from time",
        "quiet_to time",
        "time_zone text",
        "promotional_consented_at timestamp",
    )
    online.add_unique("notification_preferences", "user_id")
    online.replace_foreign_key("notification_preferences", "user_id", "users", "CASCADE")
    online.add_columns("sender_state", "expiry_noticed_until timestamp")
    online.add_columns(
        "outbox",
        "channel text NOT NULL DEFAULT 'mail'",
        "expires_at timestamp",
        "campaign_id integer",
        "message_id text",
        "push_subscription_id integer",
    )
    online.replace_foreign_key("outbox", "push_subscription_id", "push_subscriptions", "SET NULL")
    online.add_index(
        "outbox_push_subscription_id_idx", "outbox (push_subscription_id) WHERE push_subscription_id IS NOT NULL"
    )
    waiting = "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"
    online.add_index("outbox_channel_turn_idx", f"outbox (channel, priority, due_at, id) WHERE {waiting}")
    online.drop_index("outbox_turn_idx")
