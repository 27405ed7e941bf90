"""Deciding: whether a notification that is due is sent, waits, or is dropped.

It is decided when it is sent, because preferences, exclusions and blocks may have changed since it was queued.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from goatedvips.domain import erased_identities
from goatedvips.domain.access import is_excluded
from goatedvips.domain.notifications.kinds import DURING_EXCLUSION, MEMBERS, PREFERENCES, Kind, Switch
from goatedvips.domain.notifications.preferences.quiet_hours import QuietHours, end_of_quiet
from goatedvips.domain.notifications.preferences.switches import is_channel_on, is_on
from goatedvips.models.accounts import erased_identities as remembered
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import mail_blocks
from goatedvips.models.notifications import notification_preferences as preferences

CRITICAL_INTERVAL = timedelta(hours=24)  # between two critical mails to an address that bounced


class Channel(StrEnum):
    """How a notification leaves, as in the column `outbox.channel`. The inbox is none: nothing leaves."""

    MAIL = "mail"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Drop:
    """It is not sent, and never will be."""

    reason: str
    """As staff see it, in the column `outbox.dropped_reason`."""


@dataclass(frozen=True, slots=True)
class Defer:
    """It is not sent before a later time."""

    until: datetime


type Block = Literal["bounced", "complained"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """What decides about a notification besides its kind: the state of the member and of the e-mail address.

    The defaults are those of a member without preferences whose e-mail address is proved.
    """

    switches: frozenset[Switch] = PREFERENCES - {Switch.PROMOTIONAL_OFFERS}
    """The preferences that are on."""
    channels: frozenset[Channel] = frozenset(Channel)
    """The channels that are on."""
    quiet_hours: QuietHours | None = None
    is_proved: bool = True
    """Whether the e-mail address is the member's present one, and verified."""
    is_subscribed: bool = False
    """Whether the e-mail address has a confirmed subscription of the newsletter."""
    is_excluded: bool = False
    """Whether the member or the e-mail address is excluded from play."""
    is_suspended: bool = False
    block: Block | None = None
    """Why no mail goes to the e-mail address: a hard bounce is stronger than a complaint."""
    may_try_critical: bool = True
    """Whether critical mail may be sent in spite of a bounce, which it may once in 24 hours."""


def decide(
    kind: Kind, channel: Channel, recipient: Recipient, *, expires_at: datetime | None, now: datetime
) -> Drop | Defer | None:
    """Return why a notification is dropped, or until when it waits; None: it is sent.

    Parameters
    ----------
    expires_at: from when on it is of no use; None: never.
    """
    if expires_at is not None and expires_at <= now:
        return Drop("expired")
    reason = _reason_against_push(kind, recipient) if channel is Channel.PUSH else _reason_against_mail(kind, recipient)
    if reason is not None:
        return Drop(reason)
    if kind.switch not in MEMBERS | {Switch.NEWSLETTER} or recipient.quiet_hours is None:
        return None
    until = end_of_quiet(recipient.quiet_hours, now)
    if until is None:
        return None
    return Drop("expired") if expires_at is not None and expires_at <= until else Defer(until)


def _reason_against_mail(kind: Kind, recipient: Recipient) -> str | None:
    if kind.is_critical:
        return "bounced" if recipient.block == "bounced" and not recipient.may_try_critical else None
    if kind.switch in {Switch.STAFF, Switch.NEWSLETTER_CONFIRMATION}:
        return recipient.block
    if kind.switch is Switch.NEWSLETTER and not recipient.is_subscribed:
        return "not_subscribed"
    if kind.switch in MEMBERS and not recipient.is_proved:
        return "address_not_verified"
    return _reason_against(kind, Channel.MAIL, recipient) or recipient.block


def _reason_against_push(kind: Kind, recipient: Recipient) -> str | None:
    return _reason_against(kind, Channel.PUSH, recipient) if kind.switch in MEMBERS else "not_pushed"


def _reason_against(kind: Kind, channel: Channel, recipient: Recipient) -> str | None:
    if kind.switch not in DURING_EXCLUSION and recipient.is_excluded:
        return "excluded"
    if kind.switch not in DURING_EXCLUSION and recipient.is_suspended:
        return "suspended"
    if kind.switch in PREFERENCES and kind.switch not in recipient.switches:
        return "switched_off"
    return None if channel in recipient.channels else "channel_off"


_EMAIL = bindparam("recipient_email", type_=Text)
_TRIED_BEFORE = bindparam("tried_before", type_=mail_blocks.c.critical_tried_at.type)
_key = func.lower(_EMAIL)
# The newsletter goes to an e-mail address: its member's channel and quiet hours count, if the address is verified.
_member_of_email = (
    select(users.c.id)
    .where(func.lower(users.c.email) == _key, users.c.email_verified, users.c.erased_at.is_(None))
    .order_by(users.c.id)
    .limit(1)
    .scalar_subquery()
)
_is_subscribed = exists().where(
    subscriptions.c.is_subscribed,
    or_(
        subscriptions.c.email_key == _key,
        and_(subscriptions.c.email_key.is_(None), func.lower(subscriptions.c.email) == _key),
    ),
)
_is_remembered_excluded = exists().where(
    remembered.c.identity == erased_identities.identity("email", _EMAIL), is_excluded(remembered.c)
)
_block = select(
    case((mail_blocks.c.bounced_at.is_not(None), "bounced"), (mail_blocks.c.complained_at.is_not(None), "complained"))
).where(mail_blocks.c.email_key == _key)
# The try of a mail that is sent again after a failure is one try.
_was_tried = exists().where(
    mail_blocks.c.email_key == _key,
    mail_blocks.c.critical_tried_at > _TRIED_BEFORE,
    mail_blocks.c.critical_outbox_id.is_distinct_from(bindparam("mail_id", type_=BigInteger)),
)
_MEMBER_STATE = (
    *(is_on(switch).label(switch) for switch in sorted(PREFERENCES)),
    *(is_channel_on(f"{name}_notifications").label(name) for name in ("email", "push")),
    preferences.c.quiet_from,
    preferences.c.quiet_to,
    preferences.c.time_zone,
    users.c.suspended_at.is_not(None).label("is_suspended"),
)
PUSH_STATE = (*_MEMBER_STATE, func.coalesce(is_excluded(), literal(value=False)).label("is_excluded"))
"""What `recipient_of_push` reads: columns of the member in `users`, with the preferences joined."""
_one = select(literal(1).label("one")).subquery("one")
_select_recipient: Select[*tuple[Any, ...]] = (
    select(
        *_MEMBER_STATE,
        and_(users.c.email == _EMAIL, users.c.email_verified, users.c.erased_at.is_(None)).label("is_proved"),
        _is_subscribed.label("is_subscribed"),
        or_(func.coalesce(is_excluded(), False), _is_remembered_excluded).label("is_excluded"),
        _block.scalar_subquery().label("block"),
        (~_was_tried).label("may_try_critical"),
    )
    .select_from(_one)
    .outerjoin(users, users.c.id == func.coalesce(bindparam("recipient_id", type_=Integer), _member_of_email))
    .outerjoin(preferences, preferences.c.user_id == users.c.id)
)


def read_recipient(
    connection: Connection, kind: Kind, outbox_id: int, user_id: int | None, email: str | None, *, now: datetime
) -> Recipient:
    """Return what decides about a mail, as it is at present.

    Parameters
    ----------
    outbox_id: the row that is to be sent.
    user_id: the member; None, and for the newsletter: the member whose verified e-mail address it is, if there is one.
    email: the recipient's e-mail address; None: it goes to staff, who have none.
    """
    given = {
        "recipient_id": None if kind.switch is Switch.NEWSLETTER else user_id,
        "recipient_email": email,
        "mail_id": outbox_id,
        "tried_before": now - CRITICAL_INTERVAL,
    }
    row = connection.execute(_select_recipient, given).one()
    return Recipient(
        **_member_state(row),
        is_proved=bool(row.is_proved),
        is_subscribed=row.is_subscribed,
        is_excluded=row.is_excluded,
        block=row.block,
        may_try_critical=row.may_try_critical,
    )


def recipient_of_push(row: Row[Any]) -> Recipient:
    """Return what decides about a push message.

    Parameters
    ----------
    row: has the columns `PUSH_STATE`.
    """
    return Recipient(**_member_state(row), is_excluded=row.is_excluded)


def _member_state(row: Row[Any]) -> dict[str, Any]:
    state = row._mapping
    by_channel = {Channel.MAIL: row.email, Channel.PUSH: row.push}
    return {
        "switches": frozenset(switch for switch in PREFERENCES if state[switch]),
        "channels": frozenset(channel for channel in Channel if by_channel[channel]),
        "quiet_hours": None if row.time_zone is None else QuietHours(row.quiet_from, row.quiet_to, row.time_zone),
        "is_suspended": row.is_suspended,
    }
