"""Accounts for uids that a feed has and `wager_accounts` does not know."""

from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, literal, not_, null, or_, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain import erased_identities
from goatedvips.models.accounts import erased_identities as identities
from goatedvips.models.accounts import users
from goatedvips.models.wagers import feed_entries as entries
from goatedvips.models.wagers import wager_accounts as accounts

FIGURES = ("total_wager", "wager_today", "wager_week", "wager_month")
AT = bindparam("at", type_=accounts.c.read_at.type)

_unknown = (
    select(entries.c.uid, entries.c.name)
    .outerjoin(accounts, accounts.c.uid == entries.c.uid)
    .where(accounts.c.id.is_(None))
    # Hashing a uid takes 12 microseconds, so the others are left out first.
    .cte("unknown")
    .prefix_with("MATERIALIZED")
)
_is_erased = exists().where(
    identities.c.identity == erased_identities.identity("uid", _unknown.c.uid), identities.c.given_up_by.is_(None)
)


def inserted(absent_since: ColumnElement[Any] | None = None) -> Insert:
    """Return the statement that inserts accounts without a reading, the parameter `at` being the feed's request.

    Uids of erased members are left out, unless staff have linked them to another member since. Their accounts count as
    seen before all feeds, because they were.

    Parameters
    ----------
    absent_since: a scalar for the column, where newer feeds lack the uid.
    """
    nothing = dict.fromkeys(FIGURES, literal(0))
    columns = ["uid", "name", "user_id", *nothing, "read_at", "first_seen_at", "absent_since"]
    return (
        upsert(accounts)
        .from_select(
            columns,
            select(
                _unknown.c.uid,
                _unknown.c.name,
                users.c.id,
                *nothing.values(),
                AT,
                case((not_(_is_erased), AT)),
                null() if absent_since is None else absent_since,
            )
            .outerjoin(users, and_(users.c.uid == _unknown.c.uid, ~users.c.is_shell))
            .where(or_(users.c.id.is_not(None), not_(_is_erased))),
        )
        .on_conflict_do_nothing(index_elements=["uid"])
    )
