"""Requests to link a casino account by its uid. Staff decide them (`link_decisions`)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.errors import AlreadyLinked, LinkPending
from goatedvips.models.accounts import account_links as links
from goatedvips.models.accounts import users


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A pending request to link a casino account."""

    id: int
    uid: str
    requested_at: datetime


PENDING = links.c.decision.is_(None)
_UID = bindparam("given_uid", type_=links.c.uid.type)
_member = access.member()
_is_linked = and_(users.c.id == CALLER_ID, users.c.uid == _UID, users.c.verified)
_insert_link = (
    upsert(links)
    .from_select(["user_id", "uid", "requested_at"], select(_member.c.id, _UID, NOW).where(~exists().where(_is_linked)))
    .on_conflict_do_nothing(index_elements=["user_id"], index_where=PENDING)
    .returning(links.c.id, links.c.uid, links.c.requested_at)
    .execution_options(commit_in_flight=True)
)
_select_linked = select(users.c.id).where(_is_linked)


def request_link(connection: Connection, caller: Caller, uid: str, *, now: datetime) -> LinkRequest:
    """Record a request to link a casino account, or another one than the present one.

    Only staff see whether another member has the casino account.

    Raises
    ------
    AlreadyLinked: the member is linked to this uid.
    LinkPending: another request of the member waits for a decision.
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now) | {"given_uid": uid}
    row = access.one_or_none(connection, _insert_link, caller, parameters, now=now)
    if row is None:
        linked = connection.execute(_select_linked, parameters).first()
        raise AlreadyLinked if linked else LinkPending
    return LinkRequest(**row._mapping)
