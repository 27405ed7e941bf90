"""Campaigns, and the indexes of their rows in the outbox: one row a campaign and mailbox.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online

revision = "campaigns"
down_revision = "statements"

CAMPAIGNS = """
CREATE TABLE IF NOT EXISTS campaigns (
    id serial CONSTRAINT campaigns_pkey PRIMARY KEY,
    audience text NOT NULL CONSTRAINT campaigns_audience_check CHECK (audience IN ('newsletter', 'members')),
    tiers jsonb,
    subject text NOT NULL,
    body text NOT NULL,
    html text NOT NULL,
    plain_text text NOT NULL,
    send_at timestamp,
    per_day integer,
    status text NOT NULL DEFAULT 'draft' CONSTRAINT campaigns_status_check
        CHECK (status IN ('draft', 'scheduled', 'sending', 'paused', 'sent', 'cancelled')),
    paused_reason text,
    created_at timestamp NOT NULL,
    created_by integer CONSTRAINT campaigns_created_by_users_id_fk REFERENCES users (id) ON DELETE SET NULL,
    updated_at timestamp NOT NULL,
    queued_at timestamp,
    next_portion_at timestamp,
    ended_at timestamp,
    window_began_at timestamp,
    counted_until timestamp,
    counted_sent integer NOT NULL DEFAULT 0,
    final_counts jsonb,
    CONSTRAINT campaigns_scheduled_check CHECK (status <> 'scheduled' OR send_at IS NOT NULL)
)
"""
# Nobody writes to the table yet, so an index needs no care.
INDEXES = (
    "campaigns_created_by_idx ON campaigns (created_by)",
    "campaigns_scheduled_idx ON campaigns (send_at) WHERE status = 'scheduled'",
    "campaigns_sending_idx ON campaigns (id) WHERE status = 'sending'",
    "campaigns_ended_idx ON campaigns (ended_at) WHERE ended_at IS NOT NULL AND final_counts IS NULL",
)
WAITING = "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"
RECIPIENTS = "outbox (lower(address), campaign_id) WHERE campaign_id IS NOT NULL"


def upgrade() -> None:
    """Add the table and the indexes; the version before goes on working."""
    online.change(CAMPAIGNS, locks=["users"])
    online.change(*(f"CREATE INDEX IF NOT EXISTS {index}" for index in INDEXES))
    online.add_index("outbox_recipients_idx", RECIPIENTS, unique=True)
    online.add_index(
        "outbox_campaign_turn_idx", f"outbox (campaign_id, due_at, id) WHERE campaign_id IS NOT NULL AND {WAITING}"
    )
    online.add_index("outbox_campaign_sent_idx", "outbox (campaign_id, sent_at) WHERE campaign_id IS NOT NULL")
    online.add_index("outbox_campaign_bounced_idx", "outbox (campaign_id, sent_at) WHERE bounced_at IS NOT NULL")
    online.add_index("outbox_campaign_complained_idx", "outbox (campaign_id, sent_at) WHERE complained_at IS NOT NULL")
    online.add_foreign_key("outbox", "campaign_id", "campaigns")
