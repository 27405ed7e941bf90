"""The sender's side of the outbox: mail is written down with the effect that it tells of, and sent from here.

Rows are taken by a lease, so no lock is held while they are sent.  Whoever dies in between leaves a lease that lapses,
and the mail is sent again: at least once, and once a lease at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, case, delete, null, or_, select, update

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications import mail_texts, mailed_tokens
from goatedvips.domain.notifications.mail_texts import Message
from goatedvips.models.accounts import account_links, users
from goatedvips.models.notifications import outbox
from goatedvips.models.tickets import support_tickets

TRIES = 8
FIRST_PAUSE = timedelta(minutes=1)  # doubled by every further try: the eighth is two hours after the first
LEASE = timedelta(minutes=2)  # longer than a run may take, so no mail is taken from one that still sends


class LeaseLapsed(Exception):
    """The mail was taken for its last try, and whoever took it never said what became of it."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A row of the outbox, leased to whoever holds this."""

    id: int
    kind: str
    user_id: int | None
    address: str | None
    """None: the staff's."""
    payload: dict[str, Any]
    attempts: int
    """The present one included."""
    asked_at: datetime
    """When what it tells of came about."""


_waiting = outbox.c.sent_at.is_(None) & outbox.c.failed_at.is_(None)
_due = (
    select(outbox.c.id)
    .where(_waiting, outbox.c.due_at <= NOW, or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= NOW))
    .order_by(outbox.c.due_at, outbox.c.id)
    .limit(bindparam("batch"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_lease = (
    update(outbox)
    .where(outbox.c.id == _due.c.id)
    .values(leased_until=bindparam("lease_ends_at", type_=outbox.c.leased_until.type), attempts=outbox.c.attempts + 1)
    .returning(
        outbox.c.id,
        outbox.c.kind,
        outbox.c.user_id,
        outbox.c.address,
        outbox.c.payload,
        outbox.c.attempts,
        outbox.c.created_at,
    )
    .execution_options(commit_in_flight=True)
)


def lease(connection: Connection, batch: int, *, now: datetime) -> list[Mail]:
    """Take the mail that has been due longest, for as long as a lease lasts; a try counts from here, sent or not.

    Parameters
    ----------
    batch: how many rows at most.
    """
    rows = connection.execute(_lease, {"batch": batch, "now": now, "lease_ends_at": now + LEASE})
    return sorted((Mail(*row) for row in rows), key=lambda mail: mail.id)


_ticket = (
    select(support_tickets.c.subject, support_tickets.c.priority, support_tickets.c.description, users.c.username)
    .outerjoin(users, users.c.id == support_tickets.c.user_id)
    .where(support_tickets.c.id == bindparam("ticket_id"))
)

# Mail that is not critical goes to no unverified address, and to none that was changed since.
_link = (
    select(account_links.c.uid, account_links.c.decision, account_links.c.reason)
    .join(users, users.c.id == account_links.c.user_id)
    .where(
        account_links.c.id == bindparam("link_id"), users.c.email == bindparam("owner_email"), users.c.email_verified
    )
)


def compose(connection: Connection, mail: Mail, *, link_base: str, staff_address: str, now: datetime) -> Message | None:
    """The message as it goes out, with a token of its own where it needs one; none where nobody waits for it any more.

    Parameters
    ----------
    link_base: where links lead, without a slash at its end.
    staff_address: who is told of what concerns the staff; empty: nobody.

    Raises
    ------
    LeaseLapsed: all tries were made, the last without a word of its end.
    LookupError: a mail of this kind, or its payload, is not known here.
    """
    if mail.attempts > TRIES:
        raise LeaseLapsed
    match mail:
        case Mail(kind="verification", user_id=int(user_id), address=str(address)):
            token = mailed_tokens.make_for_member(connection, user_id, address, now=now)
            link = f"{link_base}/verify#token={token}"
            return mail_texts.verification(address, link) if token else None
        case Mail(kind="password_reset", user_id=int(user_id), address=str(address), asked_at=asked_at):
            token = mailed_tokens.make_for_reset(connection, user_id, address, asked_at=asked_at, now=now)
            return mail_texts.password_reset(address, f"{link_base}/reset#token={token}") if token else None
        case Mail(kind="email_change", user_id=int(user_id), address=str(address), asked_at=asked_at):
            token = mailed_tokens.make_for_change(connection, user_id, address, asked_at=asked_at, now=now)
            return mail_texts.email_change(address, f"{link_base}/verify#token={token}") if token else None
        case Mail(kind="email_changed", address=str(address)):
            return mail_texts.email_changed(address)
        case Mail(kind="newsletter_confirmation", address=str(address), payload={"subscription_id": int(subscription)}):
            token = mailed_tokens.make_for_subscription(connection, subscription, now=now)
            link = f"{link_base}/newsletter/confirm#token={token}"
            return mail_texts.newsletter_confirmation(address, link) if token else None
        case Mail(kind="link_decided", address=str(address), payload={"link_id": int(link_id)}):
            decided = connection.execute(_link, {"link_id": link_id, "owner_email": address}).one_or_none()
            return mail_texts.link_decided(address, **decided._asdict()) if decided else None
        case Mail(kind="ticket_opened", payload={"ticket_id": int(ticket_id)}):
            ticket = connection.execute(_ticket, {"ticket_id": ticket_id}).one_or_none() if staff_address else None
            return mail_texts.ticket_opened(staff_address, ticket_id, **ticket._asdict()) if ticket else None
    raise LookupError(f"no text for {mail.kind} {sorted(mail.payload)}")


_of_mail = outbox.c.id == bindparam("mail_id")
_sent = (
    update(outbox)
    .where(_of_mail)
    .values(sent_at=NOW, leased_until=null(), last_error=null())
    .execution_options(commit_in_flight=True)
)
_dropped = delete(outbox).where(_of_mail).execution_options(commit_in_flight=True)
_failed = (
    update(outbox)
    .where(_of_mail, _waiting)
    .values(
        leased_until=null(),
        last_error=bindparam("reason"),
        due_at=bindparam("next_try_at", type_=outbox.c.due_at.type),
        failed_at=case((outbox.c.attempts >= TRIES, NOW)),
    )
    .execution_options(commit_in_flight=True)
)
_given_back = (
    update(outbox)
    .where(outbox.c.id.in_(bindparam("mail_ids", expanding=True)))
    .values(leased_until=null(), attempts=outbox.c.attempts - 1)
    .execution_options(commit_in_flight=True)
)


type Outcome = Literal["sent", "dropped", "retried", "given_up"]


def settle(connection: Connection, mail: Mail, *, sent: bool, now: datetime) -> Outcome:
    """Note that the mail went out, or remove it because nobody waits for it any more."""
    connection.execute(_sent if sent else _dropped, {"mail_id": mail.id, "now": now})
    return "sent" if sent else "dropped"


def failed(connection: Connection, mail: Mail, reason: str, *, now: datetime) -> Outcome:
    """Note that the mail did not go out: it is tried again after a pause, or given up after the last try.

    Parameters
    ----------
    reason: what went wrong, without anything of the mail's content: it is kept.
    """
    next_try_at = now + FIRST_PAUSE * 2 ** (mail.attempts - 1)
    connection.execute(_failed, {"mail_id": mail.id, "reason": reason, "next_try_at": next_try_at, "now": now})
    return "retried" if mail.attempts < TRIES else "given_up"


def give_back(connection: Connection, mails: Sequence[Mail]) -> None:
    """End the lease of mails that were not tried, if there are any."""
    if mails:
        connection.execute(_given_back, {"mail_ids": [mail.id for mail in mails]})
