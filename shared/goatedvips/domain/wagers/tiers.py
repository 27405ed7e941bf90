"""Tiers: the highest one that a lifetime wager reaches, by the newest version of the tiers."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, and_, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.wagers import tier_versions

_tiers_in_force = select(tier_versions.c.tiers).order_by(tier_versions.c.id.desc()).limit(1).scalar_subquery()
_tiers = func.jsonb_array_elements(_tiers_in_force).table_valued(column("tier", JSONB), name="tiers").render_derived()
_tier_name = _tiers.c.tier["name"].astext
_min_wager = _tiers.c.tier["min_wager"].astext.cast(Numeric)
# PostgreSQL sorts NaN above infinity. An adopted total may be NaN; it reaches no tier.
_INFINITY = literal(Decimal("Infinity"), Numeric)


def tier_of(total: ColumnElement[Decimal]) -> ColumnElement[str]:
    """An expression for the name of the tier that a lifetime total reaches; null if it is below the lowest tier.

    Parameters
    ----------
    total: US dollars, such as `users.c.total_wager`.
    """
    reached = select(_tier_name).where(_min_wager <= total, total < _INFINITY).order_by(_min_wager.desc()).limit(1)
    return reached.correlate_except(_tiers).scalar_subquery()


def is_in_tier(total: ColumnElement[Decimal], name: ColumnElement[Any]) -> ColumnElement[bool]:
    """An expression for whether a lifetime total lies in a tier.

    It suits filters: the bounds of the tier are read once a statement, not once a row.

    Parameters
    ----------
    total: US dollars, such as `users.c.total_wager`.
    name: a bound parameter with the tier's name. If there is no such tier, no total lies in it.
    """
    lowest = select(func.max(_min_wager)).where(_tier_name == name).scalar_subquery()
    above = select(func.min(_min_wager)).where(_min_wager > lowest).scalar_subquery()
    return and_(total >= lowest, total < func.coalesce(above, _INFINITY))
