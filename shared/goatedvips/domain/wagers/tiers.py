"""Tiers: the highest one that a lifetime wager reaches, by the newest version of them."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, and_, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.wagers import tier_versions

_in_force = select(tier_versions.c.tiers).order_by(tier_versions.c.id.desc()).limit(1).scalar_subquery()
_tiers = func.jsonb_array_elements(_in_force).table_valued(column("tier", JSONB), name="tiers").render_derived()
_name = _tiers.c.tier["name"].astext
_least = _tiers.c.tier["min_wager"].astext.cast(Numeric)
# Above every total but NaN, which an adopted one may be, and which reaches no tier.
_INFINITY = literal(Decimal("Infinity"), Numeric)


def tier_of(total: ColumnElement[Decimal]) -> ColumnElement[str]:
    """The name of the tier that a lifetime total reaches, for any select; null: not even the lowest.

    Parameters
    ----------
    total: such as `users.c.total_wager`.
    """
    reached = select(_name).where(_least <= total, total < _INFINITY).order_by(_least.desc()).limit(1)
    return reached.correlate_except(_tiers).scalar_subquery()


def is_in_tier(total: ColumnElement[Decimal], name: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a lifetime total lies in the tier of a name: for filters, since the bounds are looked up only once.

    Parameters
    ----------
    name: a bound parameter; no tier in force by this name: nobody is in it.
    """
    lowest = select(func.max(_least)).where(_name == name).scalar_subquery()
    above = select(func.min(_least)).where(_least > lowest).scalar_subquery()
    return and_(total >= lowest, total < func.coalesce(above, _INFINITY))
