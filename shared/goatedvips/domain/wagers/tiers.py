"""Tiers: the highest one that a lifetime wager reaches, by the newest version of the tiers.

Triggers write it to `users.tier`: whenever a total is written, by whomever, and when there is a new version.
"""

from sqlalchemy import column, func, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models.wagers import tier_versions

_tiers_in_force = select(tier_versions.c.tiers).order_by(tier_versions.c.id.desc()).limit(1).scalar_subquery()
_tiers = func.jsonb_array_elements(_tiers_in_force).table_valued(column("tier", JSONB), name="tiers").render_derived()

select_names = select(_tiers.c.tier["name"].astext.label("name"))
"""A select of the names of the tiers in force."""
