"""Campaigns and their audiences for tests, written straight into the tables."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from goatedvips.models.newsletter import campaigns, newsletter_subscriptions
from goatedvips.models.notifications import mail_blocks, notification_preferences, outbox
from tests.support.functions import Functions
from tests.support.members import Member
from tests.support.rows import insert_row

WRITTEN_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
SEND_AT = WRITTEN_AT + timedelta(hours=1)
"""When the scheduled campaigns of tests begin."""


@dataclass(frozen=True)
class Campaigns:
    """Makes campaigns, subscribers, and members who consented to promotional offers."""

    database: sa.Engine

    def new(self, **columns: Any) -> int:
        """Insert a scheduled campaign to the newsletter, with the given columns changed, and return its id."""
        given: dict[str, Any] = {
            "audience": "newsletter",
            "subject": "The week",
            "body": "Hello **goats**",
            "html": "<p>Hello <strong>goats</strong></p>\n",
            "plain_text": "Hello goats",
            "send_at": SEND_AT,
            "status": "scheduled",
            "created_at": WRITTEN_AT,
            "updated_at": WRITTEN_AT,
        }
        return insert_row(self.database, campaigns, **given | columns)

    def subscribe(self, count: int, **columns: Any) -> list[str]:
        """Insert confirmed subscriptions, with the given columns changed, and return their e-mail addresses."""
        prefix = secrets.token_hex(4)
        emails = [f"fan-{prefix}-{number:06}@example.com" for number in range(count)]
        given: dict[str, Any] = {"is_subscribed": True, "confirmed_at": WRITTEN_AT, "subscribed_at": WRITTEN_AT}
        rows = [{"email": email, "email_key": email} | given | columns for email in emails]
        with self.database.connect() as connection:
            connection.execute(sa.insert(newsletter_subscriptions).values(rows))
        return emails

    def prefer(self, member: Member, **columns: Any) -> None:
        """Insert the preferences of a member who consented to promotional offers, with the given columns changed."""
        given: dict[str, Any] = {"user_id": member.id, "promotional_consented_at": WRITTEN_AT}
        with self.database.connect() as connection:
            connection.execute(sa.insert(notification_preferences).values(given | columns))

    def block(self, email: str, **columns: Any) -> None:
        """Insert the block of an e-mail address that bounced or complained."""
        insert_row(self.database, mail_blocks, email_key=email.lower(), **columns)

    def row(self, campaign_id: int) -> sa.Row[Any]:
        """Return the row of a campaign."""
        with self.database.connect() as connection:
            return connection.execute(sa.select(campaigns).where(campaigns.c.id == campaign_id)).one()

    def mails(self, campaign_id: int, *conditions: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
        """Return the rows of the outbox that are a campaign's and meet the conditions, oldest first."""
        rows = sa.select(outbox).where(outbox.c.campaign_id == campaign_id, *conditions).order_by(outbox.c.id)
        with self.database.connect() as connection:
            return list(connection.execute(rows).all())

    def mail(self, campaign_id: int, **columns: Any) -> int:
        """Insert a mail of a campaign that waits, with the given columns changed, and return its id."""
        given: dict[str, Any] = {
            "kind": "newsletter",
            "priority": 4,
            "address": f"{secrets.token_hex(8)}@example.com",
            "campaign_id": campaign_id,
            "payload": {"campaign_id": campaign_id},
            "created_at": SEND_AT,
            "due_at": SEND_AT,
        }
        return insert_row(self.database, outbox, **given | columns)

    def change_mails(self, campaign_id: int, limit: int, **columns: Any) -> None:
        """Change columns of some of a campaign's rows in the outbox, the oldest first."""
        oldest = sa.select(outbox.c.id).where(outbox.c.campaign_id == campaign_id).order_by(outbox.c.id).limit(limit)
        with self.database.connect() as connection:
            connection.execute(sa.update(outbox).where(outbox.c.id.in_(oldest)).values(columns))

    def clear(self) -> None:
        """Delete all campaigns, their mail, all subscriptions and blocks."""
        with self.database.connect() as connection:
            for table in (outbox, campaigns, newsletter_subscriptions, mail_blocks):
                connection.execute(sa.delete(table))


def queue_campaigns(functions: Functions, now: datetime) -> dict[str, int]:
    """Run the schedule's function at an instant, and return its counts."""
    done: dict[str, int] = functions.invoke("queue_campaigns", {"scheduled_time": now.isoformat()}, now=now)
    return done
