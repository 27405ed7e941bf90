"""Versions of the wheel. A version is a row that is never edited, so a spin keeps the wheel that it was drawn on.

A version is in force from the UTC day after its publication. Until then members see it as the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, cast, insert, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import access, audit
from goatedvips.domain.access import NOW, Caller
from goatedvips.domain.wheel.days import next_day
from goatedvips.domain.wheel.segments import Segment, segments_of
from goatedvips.models.wheel import wheel_versions


@dataclass(frozen=True, slots=True)
class NewSegment:
    """One segment of a wheel to be published.

    Parameters
    ----------
    label: the text on the segment.
    weight: its share of the draws, at least 1.
    value: in US dollars, with two decimals; 0: a losing segment.
    """

    label: str
    weight: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Wheel:
    """One version of the wheel, with its segments in order: the index of a segment is its position.

    Parameters
    ----------
    in_force_from: None: since the wheel began.
    """

    version: int
    in_force_from: datetime | None
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class CurrentWheel(Wheel):
    """The version that spins are drawn on now.

    Parameters
    ----------
    next: the version that replaces it; None: none is published.
    """

    next: Wheel | None


_IS_IN_FORCE = or_(wheel_versions.c.in_force_from.is_(None), wheel_versions.c.in_force_from <= NOW)
_COLUMNS = (wheel_versions.c.id, wheel_versions.c.segments, wheel_versions.c.in_force_from)
_select_newest = select(*_COLUMNS, _IS_IN_FORCE.label("is_in_force")).order_by(wheel_versions.c.id.desc()).limit(1)
select_version_in_force = _select_newest.where(_IS_IN_FORCE)
"""Select the version that spins are drawn on, bound to `now`: of several that were published on one day, the last."""
_select_current_and_next = select_version_in_force.union_all(_select_newest.where(~_IS_IN_FORCE))


def get_current(connection: Connection, *, now: datetime) -> CurrentWheel:
    """Return the version in force, which spins are drawn on, with the one that follows."""
    wheels = {
        row.is_in_force: Wheel(row.id, row.in_force_from, segments_of(row.segments))
        for row in connection.execute(_select_current_and_next, {"now": now})
    }
    current = wheels[True]
    return CurrentWheel(current.version, current.in_force_from, current.segments, next=wheels.get(False))


_staff = access.staff()
_insert_version = (
    insert(wheel_versions)
    .from_select(
        ["segments", "created_at", "in_force_from"],
        # The cast is needed: PostgreSQL gives an untyped parameter in a SELECT the type text.
        select(
            cast(bindparam("new_segments", type_=JSONB), JSONB),
            NOW,
            bindparam("new_in_force_from", type_=wheel_versions.c.in_force_from.type),
        ).select_from(_staff),
    )
    .returning(*_COLUMNS)
    .cte("published")
)
_publish_version = (
    select(_insert_version)
    .add_cte(audit.recorded("publish_wheel", _insert_version))
    .execution_options(commit_in_flight=True)
)


def publish(connection: Connection, caller: Caller, segments: Sequence[NewSegment], *, now: datetime) -> Wheel:
    """Publish a version of the wheel, which is in force from the next UTC day.

    Parameters
    ----------
    segments: in their order on the wheel, at least one of them a losing one.

    Raises
    ------
    Unauthenticated, AccountSuspended, Forbidden
    """
    stored = [
        {"label": segment.label, "weight": segment.weight, "value": f"{segment.value:.2f}"} for segment in segments
    ]
    parameters = {"new_segments": stored, "new_in_force_from": next_day(now)}
    row = access.one(connection, _publish_version, caller, parameters, now=now, staff=True)
    return Wheel(row.id, row.in_force_from, segments_of(row.segments))
