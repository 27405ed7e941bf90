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
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import is_excluded
from goatedvips.domain.wagers import newcomers, tiers
from goatedvips.domain.wagers.newcomers import AT, FIGURES
from goatedvips.domain.wagers.staging import beside_entries
from goatedvips.models.accounts import users
from goatedvips.models.wagers import feed_entries as entries
from goatedvips.models.wagers import wager_accounts as accounts
from goatedvips.models.wagers import wager_readings as readings

PERIODS = FIGURES[1:]
_FEED_ID = bindparam("feed_id", type_=readings.c.feed_id.type)
_IS_WHOLE = bindparam("is_whole", type_=Boolean)
insert_newcomers = newcomers.inserted()
"""The statement that inserts accounts for the uids of the feed that have none."""

_member = beside_entries(users)
_member_has_figures = _member.c.total_wager.is_not(None)
_member_is_missing = and_(_IS_WHOLE, _member.c.uid.is_(None))
_update_members = (
    update(users)
    .where(
        users.c.uid == _member.c.its_uid,
        ~users.c.is_shell,
        or_(
            and_(_member_has_figures, or_(*(_member.c[f"its_{name}"] != _member.c[name] for name in FIGURES))),
            and_(_member_is_missing, or_(*(_member.c[f"its_{name}"] != 0 for name in PERIODS))),
        ),
    )
    .values(
        {
            "total_wager": func.coalesce(_member.c.total_wager, users.c.total_wager),
            **{name: func.coalesce(_member.c[name], 0) for name in PERIODS},
            "tier": tiers.IN_FORCE.highest(_member.c.total_wager, users.c.tier),
        }
    )
    .returning(users.c.id, users.c.tier, and_(users.c.suspended_at.is_(None), ~is_excluded()).label("may_play"))
    .cte("update_members")
)
_write_members = select(func.count()).add_cte(*tiers.reach(_update_members, at=AT))

_account = beside_entries(accounts)
_has_figures = _account.c.total_wager.is_not(None)  # a bad entry has none, but its account is not missing
_is_missing = _account.c.uid.is_(None)
_is_over = and_(_IS_WHOLE, _is_missing)
_is_reading = and_(
    _has_figures,
    or_(_account.c.its_first_read_at.is_(None), _account.c.its_total_wager != _account.c.total_wager),
)
_linked_since = select(users.c.id).where(users.c.uid == accounts.c.uid, ~users.c.is_shell).scalar_subquery()
_update_accounts = (
    update(accounts)
    .where(
        accounts.c.uid == _account.c.its_uid,
        or_(
            _is_reading,
            and_(_has_figures, or_(*(_account.c[f"its_{name}"] != _account.c[name] for name in PERIODS))),
            and_(_has_figures, _account.c.its_name.is_distinct_from(_account.c.name)),
            and_(_is_over, or_(*(_account.c[f"its_{name}"] != 0 for name in PERIODS))),
            _is_missing != _account.c.its_absent_since.is_not(None),
        ),
    )
    .values(
        {
            "total_wager": func.coalesce(_account.c.total_wager, accounts.c.total_wager),
            **{name: case((_has_figures, _account.c[name]), (_is_over, 0), else_=accounts.c[name]) for name in PERIODS},
            "name": case((_has_figures, _account.c.name), else_=accounts.c.name),
            "read_at": case((_is_reading, AT), else_=accounts.c.read_at),
            "highest": func.greatest(accounts.c.highest, _account.c.total_wager),
            "first_read_at": func.coalesce(accounts.c.first_read_at, case((_has_figures, AT))),
            "first_total": func.coalesce(accounts.c.first_total, _account.c.total_wager),
            "first_week": func.coalesce(accounts.c.first_week, _account.c.wager_week),
            "first_month": func.coalesce(accounts.c.first_month, _account.c.wager_month),
            "absent_since": case((_is_missing, func.coalesce(accounts.c.absent_since, AT))),
            # The account was inserted while a decision on a link, which did not see it, had not committed yet.
            "user_id": case((accounts.c.user_id.is_(None), _linked_since), else_=accounts.c.user_id),
        }
    )
    .returning(accounts.c.id, accounts.c.read_at, accounts.c.total_wager)
    .cte("update_accounts")
)
_insert_changed = upsert(readings).from_select(
    ["account_id", "requested_at", "feed_id", "total"],
    select(_update_accounts.c.id, AT, _FEED_ID, _update_accounts.c.total_wager).where(_update_accounts.c.read_at == AT),
)
# The conflict is with another feed that was requested in the same millisecond.
_insert_readings = _insert_changed.on_conflict_do_update(
    index_elements=["account_id", "requested_at"],
    set_={"total": _insert_changed.excluded.total, "feed_id": _insert_changed.excluded.feed_id},
).add_cte(delete(entries).cte("delete_entries"))


def store(connection: Connection, new: Mapping[str, object]) -> int:
    """Write the figures of members and accounts; return how many totals have changed. It deletes the entries."""
    connection.execute(_write_members, new)
    return connection.execute(_insert_readings, new).rowcount
