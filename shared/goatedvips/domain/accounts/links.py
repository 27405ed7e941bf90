"""Links to casino accounts: a member asks for one by its uid, and staff decide (`link_decisions`)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import access
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.errors import AlreadyLinked, LinkPending
from goatedvips.models.accounts import account_links as links
from goatedvips.models.accounts import users

PENDING = links.c.decision.is_(None)
_UID = bindparam("given_uid", type_=links.c.uid.type)
_member = access.member()
_is_theirs = and_(users.c.id == CALLER_ID, users.c.uid == _UID, users.c.verified)
_asked = (
    upsert(links)
    .from_select(["user_id", "uid", "requested_at"], select(_member.c.id, _UID, NOW).where(~exists().where(_is_theirs)))
    .on_conflict_do_nothing(index_elements=["user_id"], index_where=PENDING)
    .returning(links.c.id, links.c.uid, links.c.requested_at)
    .execution_options(commit_in_flight=True)
)
_theirs = select(users.c.id).where(_is_theirs)


def ask(connection: Connection, caller: Caller, uid: str, *, now: datetime) -> Row[Any]:
    """Ask for a casino account to be taken for the member's, or in place of the one that they have.

    Whether it is somebody else's is for staff to see, and never told to the member.

    Raises
    ------
    AlreadyLinked: it is theirs.
    LinkPending
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now) | {"given_uid": uid}
    asked = access.one_or_none(connection, _asked, caller, parameters, now=now)
    if asked is None:
        theirs = connection.execute(_theirs, parameters).first()
        raise AlreadyLinked if theirs else LinkPending
    return asked
