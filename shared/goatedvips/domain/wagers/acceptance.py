"""Staff accept what the feed does not prove by itself: that accounts are gone, or that a total has fallen."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Text,
    bindparam,
    case,
    cast,
    false,
    func,
    insert,
    null,
    or_,
    select,
    true,
    update,
)

from goatedvips.domain import access, audit
from goatedvips.domain.access import CALLER_ID, NOW, Caller
from goatedvips.domain.wagers.feed import FeedProblem
from goatedvips.domain.wagers.ingest import INGEST_LOCK
from goatedvips.errors import Conflict, NotFound
from goatedvips.models.races import wager_race_participants as participants
from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import accepted_falls, feeds, link_periods, wager_accounts, wager_readings


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted.

    Parameters
    ----------
    key: of the accepted feed in S3, or of the one that brought the lower total.
    uid, from_total, to_total: of the fall, in US dollars; None: the whole feed was accepted.
    """

    key: str
    requested_at: datetime
    accepted_at: datetime
    uid: str | None = None
    from_total: Decimal | None = None
    to_total: Decimal | None = None


_staff = access.staff()
_REASON = bindparam("given_reason", type_=Text)
_NO_REASON = cast(null(), Text).label("reason")

_newest = (
    select(feeds.c.id, feeds.c.key, feeds.c.requested_at, feeds.c.is_whole, feeds.c.problem, feeds.c.accepted_at)
    .where(feeds.c.uid_count > 0)
    .order_by(feeds.c.requested_at.desc(), feeds.c.key.desc())
    .limit(1)
    .subquery("newest")
)
_last_feed = select(*_newest.c).select_from(_staff.outerjoin(_newest, true())).cte("last_feed")
_set_accepted = (
    update(feeds)
    .where(feeds.c.id == _last_feed.c.id, ~feeds.c.is_whole, feeds.c.problem == FeedProblem.UIDS_MISSING.value)
    .values(is_whole=true(), accepted_at=NOW, accepted_by=CALLER_ID)
    .returning(feeds.c.id, feeds.c.is_whole, _REASON.label("reason"))
    .cte("set_accepted")
)
_not_whole = select(_last_feed.c.id, false().label("is_whole"), _NO_REASON).cte("before")
_accept_feed: Select[Any] = (
    select(*_last_feed.c, _set_accepted.c.id.is_not(None).label("is_accepted_now"))
    .select_from(_last_feed.outerjoin(_set_accepted, true()))
    .add_cte(audit.recorded("accept_feed", _set_accepted, _not_whole))
    .execution_options(commit_in_flight=True)
)


def accept_feed(connection: Connection, caller: Caller, reason: str, *, now: datetime) -> Accepted:
    """Accept that the last feed lacks accounts: it counts as whole, and later feeds are compared with it.

    A feed that was accepted before stays as it is, and is returned again.

    Raises
    ------
    Conflict: the last feed is whole, or is not whole for another reason than accounts that are missing.
    Unauthenticated, AccountSuspended, Forbidden
    """
    row = access.one(connection, _accept_feed, caller, {"given_reason": reason}, now=now, staff=True)
    if row.is_accepted_now or row.accepted_at is not None:
        return Accepted(row.key, row.requested_at, row.accepted_at or now)
    if row.id is None:
        raise Conflict("There is no reading of the feed yet")
    if row.is_whole:
        raise Conflict("The last reading of the feed is whole")
    raise Conflict("The last reading of the feed is not whole for another reason than accounts that are missing")


_UID = bindparam("given_uid", type_=wager_accounts.c.uid.type)
_TOTAL = bindparam("given_total", type_=wager_accounts.c.total_wager.type)
# The first statement waits for an ingest in progress. The later ones see all that it has written.
_lock_readings = select(_staff.c.id, INGEST_LOCK)
# A settlement in progress is waited for, and its race is then settled. Its scores stay as they are.
_lock_races = (
    select(races.c.id)
    .where(
        races.c.settled_at.is_(None),
        races.c.start_date <= NOW,
        races.c.id.in_(
            select(participants.c.race_id)
            .join(wager_accounts, wager_accounts.c.id == participants.c.account_id)
            .where(wager_accounts.c.uid == _UID)
        ),
    )
    .order_by(races.c.id)
    .with_for_update(key_share=True)
)
_RACE_IDS = bindparam("race_ids", expanding=True, type_=races.c.id.type)
_counted = wager_readings.c.total - wager_readings.c.lowered
_fallen = (
    select(
        wager_accounts.c.id,
        wager_accounts.c.uid,
        wager_accounts.c.total_wager,
        wager_accounts.c.highest,
        (wager_accounts.c.highest - wager_accounts.c.total_wager).label("amount"),
        wager_accounts.c.absent_since,
    )
    .where(
        wager_accounts.c.uid == _UID,
        wager_accounts.c.total_wager == _TOTAL,
        wager_accounts.c.highest > wager_accounts.c.total_wager,
    )
    .with_for_update()
    .cte("fallen")
)
_lower_account = (
    update(wager_accounts)
    .where(wager_accounts.c.id == _fallen.c.id)
    .values(highest=wager_accounts.c.total_wager)
    .returning(wager_accounts.c.id, wager_accounts.c.highest, _REASON.label("reason"))
    .cte("lower_account")
)
_peak = wager_readings.alias("peak")
_peak_at = (
    select(func.max(_peak.c.requested_at))
    .where(_peak.c.account_id == _fallen.c.id, _peak.c.total - _peak.c.lowered >= _fallen.c.highest)
    .scalar_subquery()
)
# What was read up to the peak goes down by the whole fall, and what was read since then to the accepted total at most.
# So each highest total up to some reading goes down by the same amount as those that follow it.
_lower_readings = (
    update(wager_readings)
    .where(wager_readings.c.account_id == _fallen.c.id)
    .values(
        lowered=wager_readings.c.lowered
        + case(
            (wager_readings.c.requested_at <= _peak_at, _fallen.c.amount),
            else_=func.greatest(_counted - _fallen.c.total_wager, 0),
        )
    )
    .cte("lower_readings")
)
_lower_bases = (
    update(participants)
    .where(participants.c.account_id == _fallen.c.id, participants.c.race_id.in_(_RACE_IDS))
    .values(base=participants.c.base - _fallen.c.amount)
    .cte("lower_bases")
)
_first_total = (
    select(_counted)
    .where(wager_readings.c.account_id == _fallen.c.id)
    .order_by(wager_readings.c.requested_at)
    .limit(1)
    .scalar_subquery()
)
# A period without a reading at its beginning gets the total that it begins with, because `_lower_readings` lowers that.
_lower_periods = (
    update(link_periods)
    .where(link_periods.c.account_id == _fallen.c.id)
    .values(
        opening=func.coalesce(link_periods.c.opening, _first_total) - _fallen.c.amount,
        closing=link_periods.c.closing - _fallen.c.amount,
        final=link_periods.c.final - _fallen.c.amount,
    )
    .cte("lower_periods")
)
_last_reading = (
    select(wager_readings.c.feed_id)
    .where(wager_readings.c.account_id == _fallen.c.id)
    .order_by(wager_readings.c.requested_at.desc())
    .limit(1)
    .scalar_subquery()
)
# A feed that repeats a total brings no reading, so the newest feed is not that of the last reading.
_last_feed_at = (
    select(func.max(feeds.c.requested_at))
    .where(
        feeds.c.uid_count > 0,
        or_(_fallen.c.absent_since.is_(None), feeds.c.requested_at < _fallen.c.absent_since),
    )
    .scalar_subquery()
)
_insert_fall = (
    insert(accepted_falls)
    .from_select(
        ["account_id", "feed_id", "from_total", "to_total", "accepted_at", "accepted_by", "last_feed_at"],
        select(_fallen.c.id, _last_reading, _fallen.c.highest, _fallen.c.total_wager, NOW, CALLER_ID, _last_feed_at),
    )
    .returning(accepted_falls.c.feed_id)
    .cte("insert_fall")
)
_before_fall = select(_fallen.c.id, _fallen.c.highest, _NO_REASON).cte("before")
_accept_fall: Select[Any] = (
    select(feeds.c.key, feeds.c.requested_at, _fallen.c.uid, _fallen.c.highest, _fallen.c.total_wager)
    .select_from(_fallen)
    .join(_insert_fall, true())
    .join(feeds, feeds.c.id == _insert_fall.c.feed_id)
    .add_cte(_lower_readings, _lower_bases, _lower_periods, audit.recorded("accept_fall", _lower_account, _before_fall))
    .execution_options(commit_in_flight=True)
)
_select_account = select(wager_accounts.c.total_wager).where(wager_accounts.c.uid == _UID)


def accept_fall(
    connection: Connection, caller: Caller, uid: str, total: Decimal, reason: str, *, now: datetime
) -> Accepted:
    """Accept that an account's total has fallen: it goes on from the lower one.

    The highest total, the base of each race that has begun and is not settled, and the totals of which statements have
    counted the rise, go down by the same amount. So no score changes, and wagers count from the accepted total on.

    Raises
    ------
    NotFound: the feed has never had this uid.
    Conflict: the last reading of the account has another total, or one that has not fallen.
    Unauthenticated, AccountSuspended, Forbidden
    """
    given = {"given_uid": uid, "given_total": total, "given_reason": reason}
    parameters = caller.parameters(now) | given
    access.one(connection, _lock_readings, caller, {}, now=now, staff=True)
    race_ids = connection.execute(_lock_races, parameters).scalars().all()
    row = connection.execute(_accept_fall, parameters | {"race_ids": race_ids}).one_or_none()
    if row is not None:
        return Accepted(row.key, row.requested_at, now, row.uid, row.highest, row.total_wager)
    present = connection.execute(_select_account, parameters).scalar_one_or_none()
    if present is None:
        raise NotFound
    if present != total:
        raise Conflict("The last reading of this account has another total")
    raise Conflict("The total of this account has not fallen")
