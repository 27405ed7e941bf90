"""Versions of the wheel. A version is a row that is never edited, so a spin keeps the wheel that it was drawn on."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from goatedvips.models.wheel import wheel_versions


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of the wheel. Its chance to be drawn, `odds`, is its weight divided by the sum of all weights."""

    label: str
    weight: int
    value: Decimal
    odds: Decimal

    @property
    def wins(self) -> bool:
        """Whether the segment is worth anything."""
        return self.value > 0


@dataclass(frozen=True, slots=True)
class Wheel:
    """One version of the wheel, with its segments in order: the index of a segment is its position."""

    version: int
    segments: list[Segment]

    @classmethod
    def from_row(cls, version: int, segments: list[dict[str, Any]]) -> "Wheel":
        """Build the wheel from a row of `wheel_versions`.

        Parameters
        ----------
        version: the row's id.
        segments: the row's JSON, one `{"label", "weight", "value"}` for each segment.
        """
        total = sum(segment["weight"] for segment in segments)
        return cls(
            version,
            [
                Segment(
                    label=segment["label"],
                    weight=segment["weight"],
                    value=Decimal(segment["value"]),
                    odds=Decimal(segment["weight"]) / total,
                )
                for segment in segments
            ],
        )


select_newest_version = (
    select(wheel_versions.c.id, wheel_versions.c.segments).order_by(wheel_versions.c.id.desc()).limit(1)
)


def get_current(connection: Connection) -> Wheel:
    """Return the newest version, which spins are drawn on."""
    row = connection.execute(select_newest_version).one()
    return Wheel.from_row(row.id, row.segments)
