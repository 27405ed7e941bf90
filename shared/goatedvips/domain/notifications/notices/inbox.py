"""The inbox: what a member has been notified of, whatever the channels, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from goatedvips.domain import access, pagination
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.notifications.notices.texts import Notice, describe
from goatedvips.domain.pagination import Keyset
from goatedvips.models.accounts import account_links
from goatedvips.models.newsletter import campaigns
from goatedvips.models.notifications import notifications

MOST_UNREAD = 1000
"""Unread notifications beyond this number are not counted."""


@dataclass(frozen=True, slots=True)
class Notification:
    """An item of the inbox.

    Parameters
    ----------
    created_at: since when it is in the inbox.
    """

    id: int
    kind: str
    title: str
    body: str
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Inbox(pagination.Page[Notification]):
    """A page of the inbox.

    Parameters
    ----------
    unread: how many notifications of the whole inbox the member has not read.
    """

    unread: int


_NEWEST_FIRST = Keyset(notifications.c.due_at, notifications.c.id)
_own = and_(notifications.c.user_id == CALLER_ID, notifications.c.due_at <= NOW)
_unread_rows = (
    select(literal(1)).where(_own, notifications.c.read_at.is_(None)).limit(MOST_UNREAD).subquery("unread_rows")
)
_counted = select(select(func.count()).select_from(_unread_rows).scalar_subquery().label("unread")).subquery("counted")

# The words of other tables: a row of theirs may be corrected or erased after the notification was queued.
_page = _NEWEST_FIRST.page_of(
    select(
        notifications.c.id,
        notifications.c.kind,
        notifications.c.payload,
        notifications.c.due_at,
        notifications.c.read_at,
        account_links.c.uid,
        account_links.c.reason,
        campaigns.c.subject,
        campaigns.c.plain_text,
    )
    .outerjoin(
        account_links,
        and_(
            notifications.c.kind == "link_decided",
            account_links.c.id == cast(notifications.c.payload["link_id"].astext, Integer),
        ),
    )
    .outerjoin(
        campaigns,
        and_(
            notifications.c.kind == "campaign",
            campaigns.c.id == cast(notifications.c.payload["campaign_id"].astext, Integer),
        ),
    )
    .where(_own)
).subquery("page")
_select_inbox: Select[*tuple[Any, ...]] = (
    select(_counted.c.unread, *_page.c)
    .select_from(_counted.outerjoin(_page, true()))
    .order_by(_page.c.due_at.desc(), _page.c.id.desc())
)
_member = access.member()
_IDS = bindparam("read_ids", type_=ARRAY(BigInteger))
_mark_read = (
    update(notifications)
    .where(
        notifications.c.user_id == _member.c.id,
        notifications.c.due_at <= NOW,
        notifications.c.read_at.is_(None),
        or_(_IDS.is_(None), notifications.c.id == any_(_IDS)),
    )
    .values(read_at=NOW)
    .cte("mark_read")
)
_read: Select[int] = select(_member.c.id).add_cte(_mark_read).execution_options(commit_in_flight=True)


def newest(connection: Connection, caller: Caller, *, limit: int, cursor: str | None, now: datetime) -> Inbox:
    """Return a page of the caller's inbox, newest first.

    Raises
    ------
    ValidationFailed: the cursor is not one of this list.
    """
    given = {"caller_id": caller.user_id, "now": now} | _NEWEST_FIRST.parameters(limit, cursor)
    rows = connection.execute(_select_inbox, given).all()
    page, next_cursor = _NEWEST_FIRST.cut([row for row in rows if row.id is not None], limit)
    return Inbox([_notification(row) for row in page], next_cursor, rows[0].unread)


def _notification(row: Row[*tuple[Any, ...]]) -> Notification:
    words = {"link_decided": ("uid", "reason"), "campaign": ("subject", "plain_text")}.get(row.kind, ())
    try:
        notice = describe(row.kind, row.payload | {name: row._mapping[name] for name in words})
    except LookupError:  # queued by another version; the rest of the inbox is shown all the same
        notice = Notice(row.kind.replace("_", " ").capitalize(), "", "", "")
    return Notification(row.id, row.kind, notice.title, notice.body, created_at=row.due_at, read_at=row.read_at)


def mark_read(connection: Connection, caller: Caller, ids: Sequence[int] | None, *, now: datetime) -> None:
    """Mark notifications of the caller as read; those that are read already, or not theirs, stay as they are.

    Parameters
    ----------
    ids: which ones; None: all that are in the inbox.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    access.one(connection, _read, caller, {"read_ids": None if ids is None else [*ids]}, now=now)
