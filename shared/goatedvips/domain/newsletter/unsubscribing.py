"""Unsubscribing by the token of a mail: the newsletter, one of the member's preferences, or all mail but critical."""

from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Connection, Select, and_, false, func, null, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain.access import NOW
from goatedvips.domain.notifications import unsubscribe_tokens
from goatedvips.domain.notifications.campaigns.rows import mark_unsubscribed
from goatedvips.domain.notifications.kinds import PREFERENCES, Switch, kinds_with
from goatedvips.domain.notifications.outbox import withdrawn
from goatedvips.domain.notifications.unsubscribe_tokens import LISTS, MailList, UnsubscribeToken
from goatedvips.errors import TokenInvalid
from goatedvips.models.accounts import users
from goatedvips.models.newsletter import newsletter_subscriptions as subscriptions
from goatedvips.models.notifications import notification_preferences as preferences
from goatedvips.models.notifications import notifications

_CAMPAIGNS: dict[MailList, str] = {"newsletter": "newsletter", "promotional_offers": "campaign"}
"""The kind of campaign mail that each list of this table has."""
_token = unsubscribe_tokens.verified()
_find_token = select(_token.c.one)


def _end_subscription() -> CTE:
    """Return the update that ends a subscription, or the wait for its confirmation.

    A confirmation mail that was asked for before is void from then on. Repeated, the update changes nothing.
    """
    same_email = or_(
        subscriptions.c.email_key == _token.c.email_key,
        and_(subscriptions.c.email_key.is_(None), func.lower(subscriptions.c.email) == _token.c.email_key),
    )
    may_begin = or_(
        subscriptions.c.unsubscribed_at.is_(None),
        subscriptions.c.unsubscribed_at <= subscriptions.c.confirmation_sent_at,
    )
    return (
        update(subscriptions)
        .where(same_email, or_(subscriptions.c.is_subscribed, may_begin))
        .values(is_subscribed=False, unsubscribed_at=NOW)
        .returning(subscriptions.c.id)
        .cte("ended")
    )


def _switch_off(column: str) -> tuple[CTE, ...]:
    """Return the upsert that turns a preference off for the member who has the e-mail address.

    The table's default for promotional offers would be a consent, so each new row writes that column. With a switch,
    what the inbox would show only later goes too.
    """
    member = (
        select(users.c.id)
        .where(func.lower(users.c.email) == _token.c.email_key)
        .with_for_update(read=True, key_share=True, of=users)
        .cte("member")
    )
    off = {"promotional_offers", column}
    row = insert(preferences).from_select(
        ["user_id", "updated_at", *off], select(member.c.id, NOW, *(false().label(name) for name in off))
    )
    changes: dict[str, Any] = {column: false(), "updated_at": NOW}
    if column == "promotional_offers":
        changes["promotional_consented_at"] = null()
    ended = (
        row.on_conflict_do_update(index_elements=["user_id"], set_=changes, where=preferences.c[column].is_(true()))
        .returning(preferences.c.id)
        .cte("ended")
    )
    if column not in PREFERENCES:
        return (ended,)
    return ended, withdrawn(member.c.id, notifications.c.kind.in_(kinds_with(Switch(column))))


def _unsubscribe(mail_list: MailList) -> Select[Any]:
    changes = (_end_subscription(),) if mail_list == "newsletter" else _switch_off(mail_list)
    ended, *_ = changes
    statement = _find_token.add_cte(*changes)
    if mail_list in _CAMPAIGNS:
        has_ended = select(ended.c.id).exists()
        email_key = select(_token.c.email_key).scalar_subquery()
        statement = statement.add_cte(mark_unsubscribed(_CAMPAIGNS[mail_list], email_key, has_ended))
    return statement.execution_options(commit_in_flight=True)


_unsubscribe_from = {mail_list: _unsubscribe(mail_list) for mail_list in LISTS}


def read_token(connection: Connection, token: str) -> UnsubscribeToken:
    """Return what a token would end, and change nothing.

    Raises
    ------
    TokenInvalid: no key of ours signed it.
    """
    parsed = unsubscribe_tokens.parse(token)
    if connection.execute(_find_token, parsed.parameters).one_or_none() is None:
        raise TokenInvalid
    return parsed


def unsubscribe(connection: Connection, token: str, *, now: datetime) -> UnsubscribeToken:
    """End the mail that a token is for; again, it changes nothing.

    Raises
    ------
    TokenInvalid: no key of ours signed it.
    """
    parsed = unsubscribe_tokens.parse(token)
    if connection.execute(_unsubscribe_from[parsed.mail_list], parsed.parameters | {"now": now}).one_or_none() is None:
        raise TokenInvalid
    return parsed


def mask(email: str) -> str:
    """Return an e-mail address so that only its owner recognises it: `r•••@e•••.com` for `reader@example.com`."""
    local, _, domain = email.rpartition("@")
    name, dot, top = domain.rpartition(".")
    return f"{local[:1]}•••@{(name or top)[:1]}•••{dot}{top if dot else ''}"
