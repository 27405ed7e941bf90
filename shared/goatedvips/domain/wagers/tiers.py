"""Tiers: what members reach by their lifetime wager, each tier once, whatever becomes of the total afterwards.

`users.tier` is the highest tier in force that a member has reached. `member_tiers` records it and all that are below
it.  The newest version of the tiers is in force; a tier is the same in all versions by its name.

A statement that writes totals sets `users.tier` to `highest`, and adds what `record` or `reach` returns.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert

from goatedvips.domain.notifications.outbox import queued
from goatedvips.domain.rewards.ledger import granted
from goatedvips.models.accounts import account_links, users
from goatedvips.models.wagers import member_tiers, tier_versions, wager_accounts

_NAN = literal("NaN", Numeric)


class Ladder:
    """The tiers of a version, as a CTE and as expressions on it.

    Parameters
    ----------
    tiers: the JSON of the version, its tiers in ascending order.
    """

    def __init__(self, tiers: ColumnElement[Any]) -> None:
        elements = (
            func.jsonb_array_elements(tiers)
            .table_valued(column("tier", JSONB), with_ordinality="position", name="elements")
            .render_derived()
        )
        tier = elements.c.tier
        self.rungs = select(
            elements.c.position,
            tier["name"].astext.label("name"),
            cast(tier["min_wager"].astext, Numeric).label("min_wager"),
            func.coalesce(cast(tier["reward"].astext, Numeric), 0).label("reward"),
        ).cte("ladder")
        # Both are evaluated once a statement, and not once a row.
        self._names = type_coerce(self._all(self.rungs.c.name), ARRAY(Text))
        self._least = self._all(self.rungs.c.min_wager)

    def _all(self, of_rung: ColumnElement[Any]) -> ColumnElement[Any]:
        return select(func.array_agg(aggregate_order_by(of_rung, self.rungs.c.position))).scalar_subquery()

    def position(self, name: ColumnElement[Any]) -> ColumnElement[int]:
        """The position of a tier from 1 on; null: the version has none of this name."""
        return func.array_position(self._names, name, type_=Integer)

    def highest(self, total: ColumnElement[Any], present: ColumnElement[Any]) -> ColumnElement[str]:
        """The name of the highest tier that a total reaches, but none below the present one.

        Parameters
        ----------
        total: in US dollars; a NaN, which only an adopted row has, reaches nothing.
        present: the name of the tier so far, or null.
        """
        return func.coalesce(self.at_least(total, self.position(present)), present)

    def at_least(self, total: ColumnElement[Any], position: ColumnElement[Any]) -> ColumnElement[str]:
        """As `highest`, with the position of the present tier, or null."""
        reached = func.coalesce(func.width_bucket(func.nullif(total, _NAN), self._least), 0)
        tier: ColumnElement[str] = self._names[func.greatest(reached, position)]
        return tier


IN_FORCE = Ladder(select(tier_versions.c.tiers).order_by(tier_versions.c.id.desc()).limit(1).scalar_subquery())
"""The version that was published last."""
select_names = select(IN_FORCE.rungs.c.name)
"""A select of the names of the tiers in force."""


def record(
    members: FromClause,
    *,
    at: ColumnElement[Any],
    is_silent: ColumnElement[bool] | None = None,
    ladder: Ladder = IN_FORCE,
    is_exclusive: bool = False,
) -> CTE:
    """Return the insert that records what members have reached and `member_tiers` does not have; it returns the rows.

    Parameters
    ----------
    members: rows with `id` and `tier`, a name of the ladder.
    at: when they reached it.
    is_silent: whether a member gets no reward; None: nobody gets one.
    is_exclusive: whether a lock keeps others from writing tiers; without ON CONFLICT a row takes an eighth less CPU.
    """
    silent: ColumnElement[bool] = true() if is_silent is None else is_silent
    rungs = ladder.rungs
    rows = (
        select(
            members.c.id,
            rungs.c.name,
            at,
            case((silent, 0), else_=rungs.c.reward),
            silent,
        )
        .join_from(members, rungs, rungs.c.position <= ladder.position(members.c.tier))
        .where(~exists().where(member_tiers.c.user_id == members.c.id, member_tiers.c.tier == rungs.c.name))
        .order_by(members.c.id, rungs.c.position)
    )
    insertion = upsert(member_tiers).from_select(["user_id", "tier", "reached_at", "reward", "is_silent"], rows)
    if not is_exclusive:
        insertion = insertion.on_conflict_do_nothing(index_elements=["user_id", "tier"])
    return insertion.returning(*member_tiers.c).cte("record_tiers")


def approved_link(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a link of a row of `users` to its present uid was approved."""
    return exists().where(
        account_links.c.user_id == users.c.id,
        account_links.c.uid == users.c.uid,
        account_links.c.decision == "approved",
        *conditions,
    )


# The link began without a total: this reading is the first one. Accounts of uids that were erased and linked again
# count as seen before all feeds, as adopted accounts do, which begin with the total that was adopted.
_is_first_reading = or_(
    wager_accounts.c.id.is_(None),
    wager_accounts.c.user_id.is_distinct_from(users.c.id),
    and_(
        wager_accounts.c.first_read_at.is_(None),
        or_(wager_accounts.c.first_seen_at.is_not(None), and_(wager_accounts.c.total_wager == 0, approved_link())),
    ),
)
# A row that was a shell.
_has_no_tier = not_(exists().where(member_tiers.c.user_id == users.c.id))


def reach(updated: CTE, *, at: ColumnElement[Any], is_silent: ColumnElement[bool] | None = None) -> tuple[CTE, ...]:
    """Return the inserts that record the tiers which a reading has brought, with their rewards and notifications.

    The statement is bound to `now`, and writes the accounts of the uids only afterwards.

    Parameters
    ----------
    updated: rows of `users` whose totals the statement wrote: `id`, `tier`, and `may_play`, whether the member is
        neither suspended nor excluded.
    at: when the reading was requested.
    is_silent: what else makes a member's tiers silent, on columns of `users`.
    """
    is_new = not_(exists().where(member_tiers.c.user_id == updated.c.id, member_tiers.c.tier == updated.c.tier))
    silent = or_(~updated.c.may_play, _is_first_reading, _has_no_tier, *([] if is_silent is None else [is_silent]))
    raised = (
        select(updated.c.id, updated.c.tier, silent.label("is_silent"))
        .join(users, users.c.id == updated.c.id)
        .outerjoin(wager_accounts, wager_accounts.c.uid == users.c.uid)
        .where(is_new)
        .cte("raised")
    )
    tiers = record(raised, at=at, is_silent=raised.c.is_silent)
    rewarded = select(tiers.c.user_id, tiers.c.id.label("source_id"), tiers.c.reward.label("amount"))
    notified = (
        select(
            tiers.c.user_id,
            users.c.email,
            func.jsonb_build_object("tier", tiers.c.tier, "reward", cast(tiers.c.reward, Text)).label("payload"),
        )
        .join(users, users.c.id == tiers.c.user_id)
        .where(~tiers.c.is_silent)
        .order_by(tiers.c.id)
    )
    return (
        tiers,
        *granted("tier", rewarded.where(tiers.c.reward > 0)),
        *queued("tier_reached", notified),
    )
