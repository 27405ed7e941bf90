"""The unsubscribe link of mail that is not critical: which list a kind of mail belongs to, and where its link leads."""

from typing import Final

from sqlalchemy import Connection

from goatedvips.domain.notifications import mail_texts, unsubscribe_tokens
from goatedvips.domain.notifications.kinds import MEMBERS, Kind, Switch
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.unsubscribe_tokens import MailList

_LISTS: Final[dict[Switch, MailList]] = {
    Switch.WAGER_RACE_UPDATES: "wager_race_updates",
    Switch.VIP_STATUS_CHANGES: "vip_status_changes",
    Switch.PROMOTIONAL_OFFERS: "promotional_offers",
    Switch.MONTHLY_STATEMENTS: "monthly_statements",
    Switch.SERVICE: "email_notifications",
    Switch.STAFF: "email_notifications",
    Switch.NEWSLETTER: "newsletter",
    Switch.NEWSLETTER_CONFIRMATION: "newsletter",
}
_IN_BODY = MEMBERS | {Switch.NEWSLETTER}


def add_link(connection: Connection, message: Message, kind: Kind, endpoint: str) -> Message:
    """Return a message with the link that ends mail of its list; a critical one as it is.

    Parameters
    ----------
    endpoint: the URL of the unsubscribe page, to which the token is added.
    """
    if kind.is_critical:
        return message
    token = unsubscribe_tokens.sign(connection, _LISTS[kind.switch], message.to)
    in_body = kind.switch in _IN_BODY
    return mail_texts.with_unsubscribe_link(message, f"{endpoint}?token={token}", in_body=in_body)
