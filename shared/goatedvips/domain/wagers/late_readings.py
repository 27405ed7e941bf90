"""The entries of a feed that comes in after a newer one: readings are stored, and newer figures stay.

A feed that has been ingested may lack a uid that an older feed has.  Then the older feed's figures are the newest ones.
`absent_since` of an account tells since which feed the newest feeds lack it; all feeds before have it.

A tier that such a reading reaches is reached, also if the newest total is lower.

The entries are in `feed_entries`; parameters are `feed_id`, `at` (when the feed was requested), `key`, `now`, and
`is_before_whole`: whether a whole feed was requested later.
"""

from collections.abc import Mapping

from sqlalchemy import (
    Boolean,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.access import is_excluded
from goatedvips.domain.races.scores import COUNTED
from goatedvips.domain.wagers import newcomers, tiers
from goatedvips.domain.wagers.leaderboards import all_time_blocks
from goatedvips.domain.wagers.newcomers import AT, FIGURES
from goatedvips.models.accounts import account_links, users
from goatedvips.models.wagers import accepted_falls, feeds, link_periods
from goatedvips.models.wagers import feed_entries as entries
from goatedvips.models.wagers import wager_accounts as accounts
from goatedvips.models.wagers import wager_readings as readings

_FEED_ID = bindparam("feed_id", type_=readings.c.feed_id.type)
_IS_BEFORE_WHOLE = bindparam("is_before_whole", type_=Boolean)
_is_later = and_(
    feeds.c.uid_count > 0,
    feeds.c.requested_at >= AT,
    tuple_(feeds.c.requested_at, feeds.c.key) > tuple_(AT, bindparam("key", type_=Text)),
)
_next_feed_at = select(func.min(feeds.c.requested_at)).where(_is_later).scalar_subquery()
insert_newcomers = newcomers.inserted(absent_since=_next_feed_at)
"""The statement that inserts accounts for the uids of the feed that have none."""

# A lower total was accepted that a feed of then or later had: this reading no longer counts.
_counts = and_(
    entries.c.total_wager.is_not(None),
    ~exists()
    .where(accepted_falls.c.account_id == accounts.c.id, accepted_falls.c.last_feed_at >= AT)
    .correlate(accounts),
)
# No feed between this one and the first that lacks the uid: all of them would have it.
_is_newest = or_(
    accounts.c.first_read_at.is_(None),
    and_(
        accounts.c.absent_since.is_not(None),
        ~exists().where(_is_later, feeds.c.requested_at < accounts.c.absent_since).correlate(accounts),
    ),
)
_late = (
    select(
        accounts.c.id,
        entries,
        _counts.label("counts"),
        and_(_counts, _is_newest).label("is_newest"),
        and_(_counts, or_(accounts.c.first_read_at.is_(None), accounts.c.first_read_at > AT)).label("is_first"),
        # A whole feed that lacks the uid has set its period figures to 0.
        and_(_IS_BEFORE_WHOLE, accounts.c.absent_since.is_not(None)).label("is_over"),
    )
    .join(entries, entries.c.uid == accounts.c.uid)
    .cte("late")
)
_figures = {
    "total_wager": _late.c.total_wager,
    **{figure: case((_late.c.is_over, 0), else_=_late.c[figure]) for figure in FIGURES[1:]},
}
_tier = tiers.IN_FORCE.highest(_late.c.total_wager, users.c.tier)
_is_before_link = tiers.approved_link(account_links.c.decided_at > AT)
_update_members = (
    update(users)
    .where(
        users.c.uid == _late.c.uid,
        ~users.c.is_shell,
        _late.c.counts,
        or_(
            and_(_late.c.is_newest, or_(*(users.c[figure] != value for figure, value in _figures.items()))),
            and_(~_late.c.is_newest, users.c.tier.is_distinct_from(_tier), ~_is_before_link),
        ),
    )
    .values(
        {
            **{figure: case((_late.c.is_newest, value), else_=users.c[figure]) for figure, value in _figures.items()},
            "tier": _tier,
        }
    )
    .returning(users.c.id, users.c.tier, and_(users.c.suspended_at.is_(None), ~is_excluded()).label("may_play"))
    .cte("update_members")
)
_write_members = select(func.count()).add_cte(*tiers.reach(_update_members, at=AT, is_silent=_is_before_link))
_first = {"first_read_at": AT, "first_total": _late.c.total_wager}
_first |= {"first_week": _late.c.wager_week, "first_month": _late.c.wager_month}
_is_seen_earlier = accounts.c.first_seen_at > AT  # null stays: the account was seen before all feeds
_update_accounts = (
    update(accounts)
    .where(
        accounts.c.id == _late.c.id,
        or_(
            _late.c.is_first,
            _late.c.is_newest,
            and_(_late.c.counts, _late.c.total_wager > accounts.c.highest),
            _is_seen_earlier,
        ),
    )
    .values(
        {
            **{
                figure: case((_late.c.is_newest, value), else_=accounts.c[figure]) for figure, value in _figures.items()
            },
            **{name: case((_late.c.is_first, value), else_=accounts.c[name]) for name, value in _first.items()},
            "read_at": case((_late.c.is_newest, AT), else_=accounts.c.read_at),
            "absent_since": case(
                (and_(_late.c.is_newest, accounts.c.absent_since <= AT), _next_feed_at),
                else_=accounts.c.absent_since,
            ),
            "highest": case(
                (_late.c.counts, func.greatest(accounts.c.highest, _late.c.total_wager)), else_=accounts.c.highest
            ),
            "first_seen_at": case((_is_seen_earlier, AT), else_=accounts.c.first_seen_at),
        }
    )
    .cte("update_accounts")
)
# Not a join: hashed, whatever PostgreSQL believes about the number of entries.
_move_absences = (
    update(accounts)
    .where(
        accounts.c.absent_since > AT,
        accounts.c.uid.not_in(select(entries.c.uid)),
        ~exists().where(_is_later, feeds.c.requested_at < accounts.c.absent_since).correlate(accounts),
    )
    .values(absent_since=AT)
    .cte("move_absences")
)
_total_before = (
    select(readings.c.total)
    .where(readings.c.account_id == _late.c.id, readings.c.requested_at <= AT)
    .order_by(readings.c.requested_at.desc())
    .limit(1)
    .correlate(_late)
    .scalar_subquery()
)
_first_counted = (
    select(COUNTED)
    .where(readings.c.account_id == _late.c.id)
    .order_by(readings.c.requested_at)
    .limit(1)
    .correlate(_late)
    .scalar_subquery()
)
# A statement has counted from a reading that this one precedes: the next one also counts what lies between them.
_lower_closings = (
    update(link_periods)
    .where(
        link_periods.c.account_id == _late.c.id,
        _late.c.is_first,
        link_periods.c.final.is_(None),
        link_periods.c.opening.is_(None),
        link_periods.c.closing.is_not(None),
        _first_counted > _late.c.total_wager,
    )
    .values(closing=link_periods.c.closing - _first_counted + _late.c.total_wager)
    .cte("lower_closings")
)
# The conflict is with another feed of the same millisecond, which counts as later than this one.
_insert_readings = (
    upsert(readings)
    .from_select(
        ["account_id", "requested_at", "feed_id", "total"],
        select(_late.c.id, AT, _FEED_ID, _late.c.total_wager).where(
            _late.c.counts, _late.c.total_wager.is_distinct_from(_total_before)
        ),
    )
    .on_conflict_do_nothing(index_elements=["account_id", "requested_at"])
    .add_cte(_update_accounts, _move_absences, _lower_closings, all_time_blocks.deleted_blocks())
)


def store(connection: Connection, new: Mapping[str, object]) -> int:
    """Store readings, and figures where they are the newest; return the number of readings."""
    connection.execute(_write_members, new)
    return connection.execute(_insert_readings, new).rowcount
