"""Bounces and complaints that Amazon SES reports of sent mail, and what follows from them.

SES's events: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any, Final, Literal

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    Connection,
    Select,
    Text,
    any_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from goatedvips.domain.access import NOW
from goatedvips.models.accounts import mailed_tokens
from goatedvips.models.notifications import mail_blocks, mail_events, outbox

BOUNCES: Final[Mapping[str, Mapping[str, bool]]] = {
    "Permanent": {"General": True, "NoEmail": True, "Suppressed": True, "OnAccountSuppressionList": True},
    "Undetermined": {"Undetermined": False},
    "Transient": {
        "General": False,
        "MailboxFull": False,
        "MessageTooLarge": False,
        "ContentRejected": False,
        "AttachmentRejected": False,
        "CustomTimeoutExceeded": False,
    },
}
"""SES's bounces by type and subtype: whether they are hard. Of a subtype that is not here the permanent ones are."""
NO_COMPLAINTS: Final = frozenset({"not-spam"})
"""Types of feedback that correct an earlier complaint (RFC 5965, section 7.3)."""
_PROOFS: Final = {
    "bounced": ("email_verification", "email_change", "password_reset", "newsletter_confirmation"),
    "complained": ("email_verification", "email_change"),
}
"""The purposes of mailed tokens whose use proves that mail arrives, or that the owner wants mail to the address."""

type Effect = Literal["bounced", "complained"]


@dataclass(frozen=True, slots=True)
class MailEvent:
    """A hard bounce, or a complaint."""

    effect: Effect
    emails: tuple[str, ...]
    """The recipients, in lower case."""
    happened_at: datetime
    message_id: str
    """SES's id of the mail."""
    outbox_id: int | None
    """The row that the mail was sent from, if the event says so."""


def read_event(event: Mapping[str, Any]) -> MailEvent | None:
    """Return what an event of SES means; None: nothing follows from it.

    Raises
    ------
    KeyError, ValueError: a bounce or a complaint lacks what SES documents.
    """
    match event.get("eventType") or event.get("notificationType"):
        case "Bounce":
            details, recipients = event["bounce"], event["bounce"]["bouncedRecipients"]
            kind, subtype = details["bounceType"], details.get("bounceSubType", "")
            if not BOUNCES.get(kind, {}).get(subtype, kind == "Permanent"):
                return None
            effect: Effect = "bounced"
        case "Complaint":
            details, recipients = event["complaint"], event["complaint"]["complainedRecipients"]
            if details.get("complaintFeedbackType") in NO_COMPLAINTS:
                return None
            effect = "complained"
        case _:
            return None
    tagged = event["mail"].get("tags", {}).get("outbox_id", [])
    return MailEvent(
        effect=effect,
        emails=tuple(sorted({parseaddr(one["emailAddress"])[1].lower() for one in recipients})),
        happened_at=datetime.fromisoformat(details["timestamp"]).astimezone(UTC),
        message_id=str(event["mail"]["messageId"]),
        outbox_id=int(tagged[0]) if tagged else None,
    )


_EMAILS = bindparam("emails", type_=ARRAY(Text))
_HAPPENED_AT = bindparam("happened_at", type_=mail_blocks.c.bounced_at.type)
# The first to insert the message's id has the effect; whoever brings it again waits for the first, and has none.
_insert_event = (
    insert(mail_events)
    .values(message_id=bindparam("sns_message_id"), received_at=NOW)
    .on_conflict_do_nothing(index_elements=["message_id"])
    .returning(mail_events.c.id)
    .cte("first")
)
_is_first = select(_insert_event.c.id).exists()


def _mark_mail(marked: Column[datetime]) -> CTE:
    """Return the update that marks the mail in the outbox, for the counts of its campaign."""
    return (
        update(outbox)
        .where(
            _is_first,
            or_(
                outbox.c.id == bindparam("outbox_id", type_=BigInteger),
                outbox.c.message_id == bindparam("ses_message_id", type_=Text),
            ),
            func.lower(outbox.c.address) == any_(_EMAILS),
            marked.is_(None),
        )
        .values({marked: _HAPPENED_AT})
        .returning(outbox.c.id)
        .cte("marked")
    )


def _block(effect: Effect) -> CTE:
    """Return the upsert that blocks the recipients, but those who proved their address since it happened."""
    column = mail_blocks.c[f"{effect}_at"]
    recipient = select(func.unnest(_EMAILS).label("email_key")).subquery("recipient")
    is_proved_since = exists().where(
        func.lower(mailed_tokens.c.address) == recipient.c.email_key,
        mailed_tokens.c.purpose.in_(_PROOFS[effect]),
        mailed_tokens.c.used_at > _HAPPENED_AT,
    )
    new = insert(mail_blocks).from_select(
        ["email_key", column.name], select(recipient.c.email_key, _HAPPENED_AT).where(_is_first, ~is_proved_since)
    )
    earliest = func.least(column, _HAPPENED_AT)
    return (
        new.on_conflict_do_update(index_elements=["email_key"], set_={column.name: earliest})
        .returning(mail_blocks.c.id)
        .cte("blocked")
    )


def _record(effect: Effect) -> Select[Any]:
    marked, blocked = _mark_mail(outbox.c[f"{effect}_at"]), _block(effect)
    return select(_is_first).add_cte(marked, blocked).execution_options(commit_in_flight=True)


_record_effect = {effect: _record(effect) for effect in ("bounced", "complained")}


def record(connection: Connection, sns_message_id: str, event: MailEvent, *, now: datetime) -> bool:
    """Block the recipients of an event and mark its mail; return false if the message was handled before.

    Parameters
    ----------
    sns_message_id: the id of the message of Amazon SNS, which may deliver it more than once.
    """
    parameters = {
        "sns_message_id": sns_message_id,
        "emails": list(event.emails),
        "happened_at": event.happened_at,
        "ses_message_id": event.message_id,
        "outbox_id": event.outbox_id,
        "now": now,
    }
    is_first = connection.execute(_record_effect[event.effect], parameters).scalar_one()
    return bool(is_first)
