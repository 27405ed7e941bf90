"""Requests and answers of the wheel."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

from goatedvips.validators.fields import AnswerBody, Money, RequestBody


class SpinRequest(RequestBody):
    """What a member may say about their spin: nothing but a seed that takes part in the draw."""

    client_seed: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None
    """Absent: the one used last."""


class Segment(AnswerBody):
    """A part of the wheel."""

    label: str
    weight: int
    value: Money


class SegmentWithOdds(Segment):
    """A part of the wheel with its chance to be drawn."""

    odds: Annotated[Decimal, PlainSerializer(lambda odds: f"{odds:f}", return_type=str)]
    """weight ÷ the sum of weights, as a decimal string."""


class Wheel(AnswerBody):
    """The wheel of today."""

    version: int
    segments: list[SegmentWithOdds]


class Fairness(AnswerBody):
    """What a spin was drawn from; with `server_seed`, once it is revealed, anyone can draw it again."""

    server_seed_hash: str
    client_seed: str
    nonce: int
    server_seed: str | None = None


class SpinReceipt(AnswerBody):
    """A spin, drawn and paid out."""

    id: int
    segment_index: int
    segment: Segment
    reward_code: str | None
    fairness: Fairness
    next_spin_at: datetime


class MyWheel(AnswerBody):
    """What a member needs before a spin, to be able to verify it afterwards."""

    server_seed_hash: str
    next_server_seed_hash: str
    nonce: int
    client_seed: str
    next_spin_at: datetime | None
    """When the next spin is due; null: now."""
