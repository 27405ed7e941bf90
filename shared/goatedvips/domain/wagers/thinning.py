"""Thinning: of an account's old readings, each day keeps the last and the highest."""

from datetime import timedelta

from sqlalchemy import BigInteger, Interval, Select, bindparam, delete, func, literal, select

from goatedvips.models.races import wager_races as races
from goatedvips.models.wagers import wager_accounts as accounts
from goatedvips.models.wagers import wager_readings as readings

ACCOUNTS = 200
"""How many accounts one statement examines."""
LONGEST_DELAY = timedelta(days=60)
"""Readings that became old longer ago are not examined again: each run would read all that were ever kept."""


def thin_readings() -> Select[int, int, bool]:
    """Return the statement that thins the readings of a batch of accounts, whose parameters are those of a purge.

    It spares the days from the start of the first race on that is not settled: its scores follow from single readings.
    """
    expired_before = bindparam("expired_before", type_=readings.c.requested_at.type)
    is_open = races.c.settled_at.is_(None), races.c.cancelled_at.is_(None)
    first_start = select(func.min(races.c.start_date)).where(*is_open).scalar_subquery()
    day = func.date_trunc("day", readings.c.requested_at)
    examined = (
        select(accounts.c.id)
        .where(accounts.c.id > bindparam("after", type_=BigInteger))
        .order_by(accounts.c.id)
        .limit(ACCOUNTS)
        .cte("examined")
    )
    of_day = (readings.c.account_id, day)
    ranked = (
        select(
            readings.c.account_id,
            readings.c.requested_at,
            func.row_number().over(partition_by=of_day, order_by=readings.c.requested_at.desc()).label("from_last"),
            func.row_number()
            .over(partition_by=of_day, order_by=(readings.c.total.desc(), readings.c.requested_at))
            .label("from_highest"),
        )
        .join(examined, examined.c.id == readings.c.account_id)
        .where(
            # LEAST ignores a null: there may be no such race.
            readings.c.requested_at < func.date_trunc("day", func.least(expired_before, first_start)),
            readings.c.requested_at >= expired_before - literal(LONGEST_DELAY, Interval()),
        )
        .cte("ranked")
    )
    deleted = (
        delete(readings)
        .where(
            readings.c.account_id == ranked.c.account_id,
            readings.c.requested_at == ranked.c.requested_at,
            ranked.c.from_last > 1,
            ranked.c.from_highest > 1,
        )
        .returning(readings.c.account_id)
        .cte("deleted")
    )
    return select(
        select(func.count()).select_from(deleted).scalar_subquery().label("purged"),
        func.max(examined.c.id).label("last_id"),
        (func.count() == ACCOUNTS).label("has_more"),
    ).execution_options(commit_in_flight=True)
