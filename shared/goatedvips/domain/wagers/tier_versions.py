"""Versions of the tiers. A version is a row that is never edited; the newest is in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, cast, func, insert, select, text, true, update
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import access, audit
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.wagers.ingest import INGEST_LOCK
from goatedvips.domain.wagers.tiers import Ladder, record
from goatedvips.models.accounts import users
from goatedvips.models.wagers import member_tiers, tier_versions


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier of a version.

    Parameters
    ----------
    min_wager: what reaches it, over all time, in US dollars.
    reward: what reaching it brings, in US dollars; 0: nothing.
    """

    name: str
    min_wager: Decimal
    reward: Decimal


@dataclass(frozen=True, slots=True)
class TierVersion:
    """A version, with its tiers in ascending order."""

    version: int
    published_at: datetime
    tiers: list[Tier]


_COLUMNS = (tier_versions.c.id, tier_versions.c.created_at, tier_versions.c.tiers)
_select_newest: Select[Any] = select(*_COLUMNS).order_by(tier_versions.c.id.desc()).limit(1)


def get_newest(connection: Connection) -> TierVersion:
    """Return the version in force."""
    return _make_version(connection.execute(_select_newest).one())


def _make_version(row: Row[Any]) -> TierVersion:
    tiers = [Tier(tier["name"], Decimal(tier["min_wager"]), Decimal(tier["reward"] or 0)) for tier in row.tiers]
    return TierVersion(row.id, row.created_at, tiers)


_staff = access.staff()
# The first statement waits for an ingest in progress. The next one waits for all others that write members, and they
# wait for this transaction. SQLAlchemy has no construct for it.
_wait_for_ingest = select(_staff.c.id, INGEST_LOCK)
_lock_members = text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
# The cast is needed: PostgreSQL gives an untyped parameter in a SELECT the type text.
_TIERS = cast(bindparam("new_tiers", type_=JSONB), JSONB)
_ladder = Ladder(_TIERS)
_insert_version = (
    insert(tier_versions)
    .from_select(["tiers", "created_at"], select(_TIERS, NOW).select_from(_staff))
    .returning(*_COLUMNS)
    .cte("published")
)
_reached_before = (
    select(member_tiers.c.user_id, func.max(_ladder.rungs.c.position).label("position"))
    .join(_ladder.rungs, _ladder.rungs.c.name == member_tiers.c.tier)
    .group_by(member_tiers.c.user_id)
    .cte("reached_before")
)
_members = (
    select(users.c.id, _ladder.at_least(users.c.total_wager, _reached_before.c.position).label("tier"))
    .join_from(_insert_version, users, true())
    .outerjoin(_reached_before, _reached_before.c.user_id == users.c.id)
    .where(~users.c.is_shell, users.c.erased_at.is_(None))
    .cte("members")
)
_set_tiers = (
    update(users)
    .where(users.c.id == _members.c.id, users.c.tier.is_distinct_from(_members.c.tier))
    .values(tier=_members.c.tier)
    .cte("set_tiers")
)
_publish_version = (
    select(_insert_version)
    .add_cte(
        _set_tiers,
        record(_members, at=NOW, ladder=_ladder, is_exclusive=True),
        audit.recorded("publish_tiers", _insert_version),
    )
    .execution_options(commit_in_flight=True)
)


def publish(connection: Connection, caller: Caller, tiers: Sequence[Tier], *, now: datetime) -> TierVersion:
    """Publish a version of the tiers, and record silently each tier that a member's total has passed.

    A member's tier is then the highest one of the version that the total reaches or that the member had reached.

    Parameters
    ----------
    tiers: in ascending order; the first has the `min_wager` 0.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden
    """
    stored = [
        {"name": tier.name, "min_wager": f"{tier.min_wager:.2f}", "reward": f"{tier.reward:.2f}"} for tier in tiers
    ]
    access.one(connection, _wait_for_ingest, caller, {}, now=now, staff=True)
    connection.execute(_lock_members)
    row = access.one(connection, _publish_version, caller, {"new_tiers": stored}, now=now, staff=True)
    return _make_version(row)
