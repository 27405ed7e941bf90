"""Versions of the wheel: each is a row that is never edited, and a spin keeps the one it was drawn on."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from goatedvips.models.wheel import wheel_versions


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the wheel, drawn with a chance of its weight in the sum of weights."""

    label: str
    weight: int
    value: Decimal
    odds: Decimal

    @property
    def wins(self) -> bool:
        """Whether there is anything in it."""
        return self.value > 0


@dataclass(frozen=True, slots=True)
class Wheel:
    """One version of the wheel; a spin keeps the one it was drawn on."""

    version: int
    segments: list[Segment]

    @classmethod
    def of(cls, version: int, segments: list[dict[str, Any]]) -> "Wheel":
        """The wheel as its row has it."""
        total = sum(segment["weight"] for segment in segments)
        return cls(
            version,
            [
                Segment(part["label"], part["weight"], Decimal(part["value"]), Decimal(part["weight"]) / total)
                for part in segments
            ],
        )


NEWEST = select(wheel_versions.c.id, wheel_versions.c.segments).order_by(wheel_versions.c.id.desc()).limit(1)


def current(connection: Connection) -> Wheel:
    """The wheel that is spun today."""
    return Wheel.of(*connection.execute(NEWEST).one())
