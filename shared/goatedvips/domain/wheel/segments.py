"""The segments of a wheel."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


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


def segments_of(stored: list[dict[str, Any]]) -> list[Segment]:
    """Build the segments of a version from the JSON of its row.

    Parameters
    ----------
    stored: one `{"label", "weight", "value"}` for each segment.
    """
    total = sum(segment["weight"] for segment in stored)
    return [
        Segment(
            label=segment["label"],
            weight=segment["weight"],
            value=Decimal(segment["value"]),
            odds=Decimal(segment["weight"]) / total,
        )
        for segment in stored
    ]
