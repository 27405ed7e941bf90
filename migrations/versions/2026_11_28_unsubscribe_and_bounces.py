"""Keys for unsubscribe tokens, addresses that bounced or complained, and the events of Amazon SES that were handled.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

import secrets

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "unsubscribe_and_bounces"
down_revision = "end_of_the_feed_token"

UNSUBSCRIBE_KEYS = """
CREATE TABLE IF NOT EXISTS unsubscribe_keys (
    id serial CONSTRAINT unsubscribe_keys_pkey PRIMARY KEY,
    key bytea NOT NULL
)
"""
MAIL_BLOCKS = """
CREATE TABLE IF NOT EXISTS mail_blocks (
    id serial CONSTRAINT mail_blocks_pkey PRIMARY KEY,
    email_key text NOT NULL CONSTRAINT mail_blocks_email_key_unique UNIQUE,
    bounced_at timestamp,
    complained_at timestamp,
    critical_tried_at timestamp,
    critical_outbox_id bigint
)
"""
MAIL_EVENTS = """
CREATE TABLE IF NOT EXISTS mail_events (
    id bigserial CONSTRAINT mail_events_pkey PRIMARY KEY,
    message_id text NOT NULL CONSTRAINT mail_events_message_id_unique UNIQUE,
    received_at timestamp NOT NULL
)
"""


def upgrade() -> None:
    """Add tables, columns and an index; the version before goes on working."""
    online.change(UNSUBSCRIBE_KEYS, MAIL_BLOCKS, MAIL_EVENTS)
    online.add_columns("outbox", "bounced_at timestamp", "complained_at timestamp", "unsubscribed_at timestamp")
    online.add_index("mailed_tokens_used_idx", "mailed_tokens (lower(address)) WHERE used_at IS NOT NULL")

    keys = sa.table("unsubscribe_keys", sa.column("key"))
    first = sa.select(sa.literal(secrets.token_bytes(32))).where(~sa.exists().select_from(keys))
    op.execute(keys.insert().from_select(["key"], first))
