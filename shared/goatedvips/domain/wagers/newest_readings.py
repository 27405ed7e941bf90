"""The entries of the newest feed become the figures of members and accounts, and readings where a total has changed.

The entries are in `feed_entries`; parameters are `feed_id`, `at` (when the feed was requested), `is_whole` and `now`.
"""

from collections.abc import Mapping

from sqlalchemy import (
    Boolean,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import is_excluded
from goatedvips.domain.wagers import tiers
from goatedvips.domain.wagers.newcomers import AT, FIGURES, insert_newcomers
from goatedvips.models.accounts import users
from goatedvips.models.wagers import feed_entries as entries
from goatedvips.models.wagers import wager_accounts as accounts
from goatedvips.models.wagers import wager_readings as readings

PERIODS = FIGURES[1:]
_FEED_ID = bindparam("feed_id", type_=readings.c.feed_id.type)
_IS_WHOLE = bindparam("is_whole", type_=Boolean)
_has_figures = entries.c.total_wager.is_not(None)

_update_members = (
    update(users)
    .where(
        users.c.uid == entries.c.uid,
        _has_figures,
        ~users.c.is_shell,
        or_(*(users.c[figure] != entries.c[figure] for figure in FIGURES)),
    )
    .values(
        {
            **{figure: entries.c[figure] for figure in FIGURES},
            "tier": tiers.IN_FORCE.highest(entries.c.total_wager, users.c.tier),
        }
    )
    .returning(users.c.id, users.c.tier, and_(users.c.suspended_at.is_(None), ~is_excluded()).label("may_play"))
    .cte("update_members")
)
_clear_periods = (
    update(users)
    .where(
        _IS_WHOLE,
        users.c.uid.is_not(None),
        ~users.c.is_shell,
        or_(*(users.c[figure] != 0 for figure in PERIODS)),
        ~exists().where(entries.c.uid == users.c.uid),
    )
    .values(dict.fromkeys(PERIODS, 0))
    .cte("clear_periods")
)
_write_members_and_newcomers = select(func.count()).add_cte(
    _clear_periods, insert_newcomers().cte("insert_newcomers"), *tiers.reach(_update_members, at=AT)
)

_is_reading = or_(accounts.c.first_read_at.is_(None), accounts.c.total_wager != entries.c.total_wager)
_linked_since = select(users.c.id).where(users.c.uid == accounts.c.uid, ~users.c.is_shell).scalar_subquery()
_update_accounts = (
    update(accounts)
    .where(
        accounts.c.uid == entries.c.uid,
        _has_figures,
        or_(
            _is_reading,
            *(accounts.c[figure] != entries.c[figure] for figure in PERIODS),
            accounts.c.absent_since.is_not(None),
            accounts.c.name.is_distinct_from(entries.c.name),
        ),
    )
    .values(
        {
            **{figure: entries.c[figure] for figure in FIGURES},
            "name": entries.c.name,
            "read_at": case((_is_reading, AT), else_=accounts.c.read_at),
            "highest": func.greatest(accounts.c.highest, entries.c.total_wager),
            "first_read_at": func.coalesce(accounts.c.first_read_at, AT),
            "first_total": func.coalesce(accounts.c.first_total, entries.c.total_wager),
            "first_week": func.coalesce(accounts.c.first_week, entries.c.wager_week),
            "first_month": func.coalesce(accounts.c.first_month, entries.c.wager_month),
            "absent_since": null(),
            # The account was inserted while a decision on a link, which did not see it, had not committed yet.
            "user_id": case((accounts.c.user_id.is_(None), _linked_since), else_=accounts.c.user_id),
        }
    )
    .returning(accounts.c.id, accounts.c.read_at, accounts.c.total_wager)
    .cte("update_accounts")
)
# Accounts of bad entries are here: they have no figures, but they are not missing.
_update_present = (
    update(accounts)
    .where(accounts.c.uid == entries.c.uid, ~_has_figures, accounts.c.absent_since.is_not(None))
    .values(absent_since=null())
    .cte("update_present")
)
_mark_missing = (
    update(accounts)
    .where(
        ~exists().where(entries.c.uid == accounts.c.uid),
        or_(
            accounts.c.absent_since.is_(None),
            and_(_IS_WHOLE, or_(*(accounts.c[figure] != 0 for figure in PERIODS))),
        ),
    )
    .values(
        {
            "absent_since": func.coalesce(accounts.c.absent_since, AT),
            **{figure: case((_IS_WHOLE, 0), else_=accounts.c[figure]) for figure in PERIODS},
        }
    )
    .cte("mark_missing")
)
_insert_changed = upsert(readings).from_select(
    ["account_id", "requested_at", "feed_id", "total"],
    select(_update_accounts.c.id, AT, _FEED_ID, _update_accounts.c.total_wager).where(_update_accounts.c.read_at == AT),
)
# The conflict is with another feed that was requested in the same millisecond.
_insert_readings = _insert_changed.on_conflict_do_update(
    index_elements=["account_id", "requested_at"],
    set_={"total": _insert_changed.excluded.total, "feed_id": _insert_changed.excluded.feed_id},
).add_cte(_update_present, _mark_missing, delete(entries).cte("delete_entries"))


def store(connection: Connection, new: Mapping[str, object]) -> int:
    """Write the figures of members and accounts; return how many totals have changed. It deletes the entries."""
    connection.execute(_write_members_and_newcomers, new)
    return connection.execute(_insert_readings, new).rowcount
