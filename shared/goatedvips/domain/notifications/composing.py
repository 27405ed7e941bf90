"""Composing: from a leased row of the outbox to the message that is sent, or the reason why none is."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, select

from goatedvips.domain.notifications import deciding, mail_blocks, mail_texts, mailed_tokens, ticket_mail
from goatedvips.domain.notifications.campaigns import mail as campaign_mail
from goatedvips.domain.notifications.deciding import Channel, Defer, Drop
from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.domain.notifications.notices import relevance
from goatedvips.domain.notifications.notices.texts import describe
from goatedvips.domain.notifications.sending import TRIES, Mail
from goatedvips.models.accounts import account_links, users
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.rewards import rewards
from goatedvips.models.tickets import support_tickets, ticket_messages


class LeaseExpired(Exception):
    """The last try's lease expired: its process ended without recording an outcome."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where mail leads, and who gets the staff's."""

    pages: str
    """URL under which the pages for mailed tokens are, without a slash at its end."""
    tickets: str
    """URL of the staff's list of tickets, without a slash at its end."""
    staff_email: str
    """Empty: staff get no mail."""


_NOT_WANTED = Drop("no_longer_wanted")
_NO_STAFF = Drop("no_staff_address")
# Mail that says no more than the inbox does.
_NOTICES = {"race_started", "tier_reached", "code_issued", "win_expiring", "code_expiring", "statement_written"}
_WITH_TOKEN = {"verification", "password_reset", "email_change", "newsletter_confirmation"}

_select_link = select(account_links.c.uid, account_links.c.decision, account_links.c.reason).where(
    account_links.c.id == bindparam("link_id")
)
_select_result = (
    select(races.c.title, participants.c.rank, participants.c.total_wager, rewards.c.amount.label("prize"))
    .join(participants, participants.c.race_id == races.c.id)
    .join(users, users.c.id == participants.c.member_key)
    .outerjoin(
        rewards,
        and_(rewards.c.source_type == "race", rewards.c.source_id == races.c.id, rewards.c.user_id == users.c.id),
    )
    .where(races.c.id == bindparam("race_id"), users.c.id == bindparam("participant_id"))
)
_select_reply = (
    select(support_tickets.c.id.label("ticket_id"), support_tickets.c.subject, ticket_messages.c.message)
    .select_from(ticket_messages)
    .join(support_tickets, support_tickets.c.id == ticket_messages.c.ticket_id)
    .where(ticket_messages.c.id == bindparam("message_id"), ~ticket_messages.c.is_internal)
)


def compose(connection: Connection, mail: Mail, links: Links, *, now: datetime) -> Message | Drop | Defer:
    """Return the message, with a new token if its kind has one; or why and until when it is not sent.

    Raises
    ------
    LeaseExpired: the mail had all its tries.
    LookupError: the kind is unknown, or its payload does not have the expected form.
    """
    if mail.attempts > TRIES:
        raise LeaseExpired
    return _decide(connection, mail, links, now=now) or (
        _compose_with_token(connection, mail, links, now=now)
        if mail.kind in _WITH_TOKEN
        else _compose_without_token(connection, mail, links, now=now)
    )


def _decide(connection: Connection, mail: Mail, links: Links, *, now: datetime) -> Drop | Defer | None:
    kind = KINDS.get(mail.kind)
    if kind is None:
        raise LookupError(f"there is no kind {mail.kind}")
    email = mail.email or links.staff_email or None
    recipient = deciding.read_recipient(connection, kind, mail.id, mail.user_id, email, now=now)
    decided = deciding.decide(kind, Channel.MAIL, recipient, expires_at=mail.expires_at, now=now)
    if decided is None and email is not None and kind.is_critical and recipient.block == "bounced":
        return None if mail_blocks.claim_try(connection, email, mail.id, now=now) else Drop("bounced")
    return decided


def _compose_without_token(
    connection: Connection, mail: Mail, links: Links, *, now: datetime
) -> Message | Drop | Defer:
    match mail:
        case Mail(kind="email_changed", email=str(email)):
            return mail_texts.email_changed(email)
        case Mail(kind="link_decided", email=str(email), payload={"link_id": int(link_id)}):
            decided = connection.execute(_select_link, {"link_id": link_id}).one_or_none()
            return mail_texts.link_decided(email, **decided._mapping) if decided else _NOT_WANTED
        case Mail(kind="link_ended", email=str(email), payload={"uid": str(uid), "reason": str(reason)}):
            return mail_texts.link_ended(email, uid=uid, reason=reason)
        case Mail(kind="race_result", user_id=int(user_id), email=str(email), payload={"race_id": int(race_id)}):
            given = {"race_id": race_id, "participant_id": user_id}
            result = connection.execute(_select_result, given).one_or_none()
            return mail_texts.race_result(email, **result._mapping) if result else _NOT_WANTED
        case Mail(kind="ticket_reply", email=str(email), payload={"message_id": int(message_id)}):
            answer = connection.execute(_select_reply, {"message_id": message_id}).one_or_none()
            return mail_texts.ticket_reply(email, **answer._mapping) if answer else _NOT_WANTED
        case Mail(kind=kind, email=str(email)) if kind in _NOTICES:
            return relevance.check(connection, kind, mail.payload, now=now) or mail_texts.notice(
                email, describe(kind, mail.payload)
            )
        case Mail(kind="ticket_opened", payload={"ticket_id": int()}):
            return _compose_tickets(connection, mail, links, now=now)
        case Mail(payload={"campaign_id": int(campaign_id)}):
            return campaign_mail.compose(connection, mail, campaign_id, links.staff_email)
    raise LookupError(f"no text for {mail.kind} {sorted(mail.payload)}")


def _compose_with_token(connection: Connection, mail: Mail, links: Links, *, now: datetime) -> Message | Drop:
    match mail:
        case Mail(kind="verification", user_id=int(user_id), email=str(email)):
            token = mailed_tokens.make_for_member(connection, user_id, email, now=now)
            return mail_texts.verification(email, f"{links.pages}/verify#token={token}") if token else _NOT_WANTED
        case Mail(kind="password_reset", user_id=int(user_id), email=str(email), queued_at=asked_at):
            token = mailed_tokens.make_for_reset(connection, user_id, email, asked_at=asked_at, now=now)
            return mail_texts.password_reset(email, f"{links.pages}/reset#token={token}") if token else _NOT_WANTED
        case Mail(kind="email_change", user_id=int(user_id), email=str(email), queued_at=asked_at):
            token = mailed_tokens.make_for_change(connection, user_id, email, asked_at=asked_at, now=now)
            return mail_texts.email_change(email, f"{links.pages}/verify#token={token}") if token else _NOT_WANTED
        case Mail(
            kind="newsletter_confirmation",
            email=str(email),
            payload={"subscription_id": int(subscription)},
            queued_at=asked_at,
        ):
            token = mailed_tokens.make_for_subscription(connection, subscription, asked_at=asked_at, now=now)
            link = f"{links.pages}/newsletter/confirm#token={token}"
            return mail_texts.newsletter_confirmation(email, link) if token else _NOT_WANTED
    raise LookupError(f"no text for {mail.kind} {sorted(mail.payload)}")


def _compose_tickets(connection: Connection, mail: Mail, links: Links, *, now: datetime) -> Message | Drop | Defer:
    if not links.staff_email:
        return _NO_STAFF
    tickets = ticket_mail.collect(connection, mail, now=now)
    if isinstance(tickets, Defer):
        return tickets
    return mail_texts.tickets_opened(links.staff_email, tickets, links.tickets) if tickets else _NOT_WANTED
