"""The audience of a campaign: who gets it, and why others do not. A preview counts it, and `queueing` inserts it.

The same conditions hold again when a mail is sent, because much can happen in between.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ScalarSelect,
    Subquery,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on

from goatedvips.domain import erased_identities
from goatedvips.domain.access import is_excluded
from goatedvips.domain.notifications.kinds import KINDS
from goatedvips.domain.notifications.preferences.switches import is_channel_on, is_on
from goatedvips.models.accounts import erased_identities as identities
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import mail_blocks
from goatedvips.models.notifications import notification_preferences as preferences

KIND_OF = {"newsletter": "newsletter", "members": "campaign"}
"""The kind of notification that each audience gets."""

INBOX_ONLY = frozenset({"channel_off", "address_not_verified", "unreachable", "bounced", "complained"})
"""The reasons for which members get a campaign in their inbox, but not by mail."""

_blocked = (
    (mail_blocks.c.bounced_at.is_not(None), "bounced"),
    (mail_blocks.c.complained_at.is_not(None), "complained"),
)
_wants_no_mail = ~is_channel_on("email_notifications")
_is_suspended = users.c.suspended_at.is_not(None)

# Members whose account keeps mail from their address, whoever subscribed it. Joined as a set, and not looked up row by
# row: a hash join stays fast however many there are.
_of_address = func.lower(users.c.email)
_silenced = (
    select(
        _of_address.label("email_key"),
        func.bool_or(is_excluded()).label("is_excluded"),
        func.bool_or(_is_suspended).label("is_suspended"),
    )
    .outerjoin(preferences, preferences.c.user_id == users.c.id)
    .where(
        users.c.email_verified,
        users.c.erased_at.is_(None),
        or_(is_excluded(), _is_suspended, _wants_no_mail),
    )
    .group_by(_of_address)
    .subquery("silenced")
)
_outlives = or_(identities.c.excluded_permanently, identities.c.excluded_until.is_not(None))
# Hashing every address takes long, so none is hashed while no exclusion of an erased member is remembered.
_remembered_identity = case(
    (exists(select(identities.c.identity).where(_outlives)), erased_identities.identity("email", subscriptions.c.email))
)


def select_subscribers() -> Subquery:
    """Return every subscription that ever was asked for, one row a mailbox: `email_key`, `email`, `user_id`, `reason`.

    `reason` says why the mailbox does not get the newsletter; null: it does.
    """
    reason = case(
        (and_(~subscriptions.c.is_subscribed, subscriptions.c.unsubscribed_at.is_not(None)), "unsubscribed"),
        (~subscriptions.c.is_subscribed, "unconfirmed"),
        (~func.is_mailable(subscriptions.c.email), "unreachable"),
        (or_(_silenced.c.is_excluded, identities.c.identity.is_not(None)), "excluded"),
        (_silenced.c.is_suspended, "suspended"),
        (_silenced.c.email_key.is_not(None), "channel_off"),
        *_blocked,
    )
    key = func.lower(subscriptions.c.email)
    return (
        select(
            key.label("email_key"),
            subscriptions.c.email,
            literal(None, users.c.id.type).label("user_id"),
            reason.label("reason"),
        )
        .ext(distinct_on(key))
        .outerjoin(_silenced, _silenced.c.email_key == key)
        .outerjoin(identities, and_(identities.c.identity == _remembered_identity, _outlives))
        .outerjoin(mail_blocks, mail_blocks.c.email_key == key)
        .order_by(key, subscriptions.c.is_subscribed.desc(), subscriptions.c.id)
        .subquery("audience")
    )


def select_members(tiers: ScalarSelect[Any]) -> Subquery:
    """Return the members of some tiers, in the columns of `select_subscribers`.

    Parameters
    ----------
    tiers: JSON array of the names of the tiers; null: all members, and those without a tier.
    """
    switch = KINDS["campaign"].switch
    reason = case(
        (is_excluded(), "excluded"),
        (_is_suspended, "suspended"),
        (~is_on(switch), "switched_off"),
        (_wants_no_mail, "channel_off"),
        (users.c.email_verified.is_not(True), "address_not_verified"),
        (~func.is_mailable(users.c.email), "unreachable"),
        *_blocked,
    )
    key = func.lower(users.c.email)
    return (
        select(key.label("email_key"), users.c.email, users.c.id.label("user_id"), reason.label("reason"))
        .ext(distinct_on(key))
        .outerjoin(preferences, preferences.c.user_id == users.c.id)
        .outerjoin(mail_blocks, mail_blocks.c.email_key == key)
        .where(
            ~users.c.is_shell,
            users.c.erased_at.is_(None),
            or_(tiers.is_(None), func.coalesce(tiers.op("?", is_comparison=True)(users.c.tier), false())),
        )
        .order_by(key, users.c.email_verified.desc().nulls_last(), users.c.id)
        .subquery("audience")
    )


AUDIENCES: dict[str, Callable[[ScalarSelect[Any]], Subquery]] = {
    "newsletter": lambda _: select_subscribers(),
    "members": select_members,
}
"""What selects the audience of each name, given the tiers of the campaign."""
