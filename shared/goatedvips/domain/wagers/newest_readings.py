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
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import is_excluded
from goatedvips.domain.wagers import newcomers, tiers
from goatedvips.domain.wagers.leaderboards import all_time_blocks
from goatedvips.domain.wagers.newcomers import AT, FIGURES
from goatedvips.domain.wagers.staging import beside_entries
from goatedvips.models.accounts import users
from goatedvips.models.wagers import unread_members
from goatedvips.models.wagers import wager_accounts as accounts
from goatedvips.models.wagers import wager_readings as readings

PERIODS = FIGURES[1:]
_FEED_ID = bindparam("feed_id", type_=readings.c.feed_id.type)
_IS_WHOLE = bindparam("is_whole", type_=Boolean)
insert_newcomers = newcomers.inserted()
"""The statement that inserts accounts for the uids of the feed that have none."""

_beside = beside_entries(accounts)
_has_figures = _beside.c.total_wager.is_not(None)  # a bad entry has none, but its account is not missing
_is_missing = _beside.c.uid.is_(None)
_is_over = and_(_IS_WHOLE, _is_missing)
_is_reading = and_(
    _has_figures, or_(_beside.c.its_first_read_at.is_(None), _beside.c.its_total_wager != _beside.c.total_wager)
)
_is_changed = or_(
    _is_reading,
    and_(_has_figures, or_(*(_beside.c[f"its_{name}"] != _beside.c[name] for name in PERIODS))),
    and_(_has_figures, _beside.c.its_name.is_distinct_from(_beside.c.name)),
    and_(_is_over, or_(*(_beside.c[f"its_{name}"] != 0 for name in PERIODS))),
    _is_missing != _beside.c.its_absent_since.is_not(None),
)
_changed = (
    select(
        _beside.c.its_id.label("id"),
        _beside.c.its_uid.label("uid"),
        _beside.c.name,
        *(_beside.c[figure] for figure in FIGURES),
        _has_figures.label("has_figures"),
        _is_missing.label("is_missing"),
        _is_over.label("is_over"),
        _is_reading.label("is_reading"),
    )
    # PostgreSQL expects few rows of an equation, and most rows of what is in it. For few it takes indexes, which for
    # 100,000 take as long as hash joins.
    .where(_beside.c.its_id.is_not(None), case((_is_changed, 1)) == 1)
    .cte("changed")
)
_figures = {
    "total_wager": func.coalesce(_changed.c.total_wager, users.c.total_wager),
    **{name: case((_changed.c.has_figures, _changed.c[name]), else_=0) for name in PERIODS},
}
_update_members = (
    update(users)
    .where(
        users.c.uid == _changed.c.uid,
        ~users.c.is_shell,
        or_(_changed.c.has_figures, _changed.c.is_over),
        or_(*(users.c[name] != value for name, value in _figures.items())),
    )
    .values(_figures | {"tier": tiers.IN_FORCE.highest(_changed.c.total_wager, users.c.tier)})
    .returning(users.c.id, users.c.tier, and_(users.c.suspended_at.is_(None), ~is_excluded()).label("may_play"))
    .cte("update_members")
)
# Members whose uid no feed has had yet.
_has_account = exists().where(accounts.c.uid == users.c.uid).correlate(users)
_clear_members = (
    update(users)
    .where(
        _IS_WHOLE,
        users.c.id == unread_members.c.user_id,
        users.c.uid.is_not(None),
        ~users.c.is_shell,
        or_(*(users.c[name] != 0 for name in PERIODS)),
        ~_has_account,
    )
    .values(dict.fromkeys(PERIODS, 0))
    .cte("clear_members")
)
_forget_unread = delete(unread_members).where(users.c.id == unread_members.c.user_id, _has_account).cte("forget_unread")
_members_come_first = select(func.count()).select_from(_update_members).scalar_subquery() >= 0  # and are locked first
_linked_since = select(users.c.id).where(users.c.uid == accounts.c.uid, ~users.c.is_shell).scalar_subquery()
_update_accounts = (
    update(accounts)
    .where(accounts.c.id == _changed.c.id, _members_come_first)
    .values(
        {
            "total_wager": func.coalesce(_changed.c.total_wager, accounts.c.total_wager),
            **{
                name: case((_changed.c.has_figures, _changed.c[name]), (_changed.c.is_over, 0), else_=accounts.c[name])
                for name in PERIODS
            },
            "name": case((_changed.c.has_figures, _changed.c.name), else_=accounts.c.name),
            "read_at": case((_changed.c.is_reading, AT), else_=accounts.c.read_at),
            "highest": func.greatest(accounts.c.highest, _changed.c.total_wager),
            "first_read_at": func.coalesce(accounts.c.first_read_at, case((_changed.c.has_figures, AT))),
            "first_total": func.coalesce(accounts.c.first_total, _changed.c.total_wager),
            "first_week": func.coalesce(accounts.c.first_week, _changed.c.wager_week),
            "first_month": func.coalesce(accounts.c.first_month, _changed.c.wager_month),
            "absent_since": case((_changed.c.is_missing, func.coalesce(accounts.c.absent_since, AT))),
            # The account was inserted while a decision on a link, which did not see it, had not committed yet.
            "user_id": case((accounts.c.user_id.is_(None), _linked_since), else_=accounts.c.user_id),
        }
    )
    .returning(accounts.c.id, accounts.c.total_wager, _changed.c.is_reading)
    .cte("update_accounts")
)
_insert_changed = upsert(readings).from_select(
    ["account_id", "requested_at", "feed_id", "total"],
    select(_update_accounts.c.id, AT, _FEED_ID, _update_accounts.c.total_wager).where(_update_accounts.c.is_reading),
)
# The conflict is with another feed that was requested in the same millisecond.
_insert_readings = _insert_changed.on_conflict_do_update(
    index_elements=["account_id", "requested_at"],
    set_={"total": _insert_changed.excluded.total, "feed_id": _insert_changed.excluded.feed_id},
).add_cte(
    *tiers.reach(_update_members, at=AT),
    _clear_members,
    _forget_unread,
    all_time_blocks.deleted_blocks(),
)


def store(connection: Connection, new: Mapping[str, object]) -> int:
    """Write the figures of members and accounts; return how many totals have changed."""
    return connection.execute(_insert_readings, new).rowcount
