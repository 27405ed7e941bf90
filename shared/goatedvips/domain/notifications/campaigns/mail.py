"""Mail about campaigns: to their recipients, to the staff who test one, and to staff when one pauses itself."""

from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from goatedvips.domain.notifications import mail_texts
from goatedvips.domain.notifications.campaigns.rows import CANCELLED
from goatedvips.domain.notifications.deciding import Defer, Drop
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.sending import Mail
from goatedvips.models.newsletter import campaigns

_select_campaign: Select[Any] = select(
    campaigns.c.id, campaigns.c.subject, campaigns.c.html, campaigns.c.plain_text, campaigns.c.status
).where(campaigns.c.id == bindparam("campaign_id"))


def compose(connection: Connection, mail: Mail, campaign_id: int, staff_email: str) -> Message | Drop | Defer:
    """Return the message of a leased mail, or why and until when it is not sent.

    Parameters
    ----------
    staff_email: empty: staff get no mail.

    Raises
    ------
    LookupError: it is no mail about a campaign, or its payload does not have the expected form.
    """
    campaign = connection.execute(_select_campaign, {"campaign_id": campaign_id}).one()
    match mail:
        case Mail(kind="campaign_test", email=str(email)):
            return mail_texts.campaign(email, f"[Test] {campaign.subject}", campaign.html, campaign.plain_text)
        case Mail(kind="campaign_paused", payload={"reason": str(reason), **figures}):
            if not staff_email:
                return Drop("no_staff_address")
            counts = {name: int(figures[name]) for name in ("sent", "bounced", "complained")}
            return mail_texts.campaign_paused(staff_email, campaign.id, campaign.subject, reason, **counts)
        case Mail(kind="newsletter" | "campaign", email=str(email)):
            return _compose_for_recipient(campaign, mail, email)
    raise LookupError(f"no text for {mail.kind} {sorted(mail.payload)}")


def _compose_for_recipient(campaign: Row[Any], mail: Mail, email: str) -> Message | Drop | Defer:
    match campaign.status:
        case "paused":  # since the mail was leased; only campaigns that are being sent are leased
            return Defer(mail.due_at)
        case "cancelled":
            return Drop(CANCELLED)
    return mail_texts.campaign(email, campaign.subject, campaign.html, campaign.plain_text)
