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
    """What it reads."""
    weight: int
    """Its share of the draw, relative to the others'."""
    value: Money
    """The bonus code's worth in US dollars; 0: nothing is won."""


class SegmentWithOdds(Segment):
    """A part of the wheel with its chance to be drawn."""

    odds: Annotated[Decimal, PlainSerializer(lambda odds: f"{odds:f}", return_type=str)]
    """weight ÷ the sum of weights, as a decimal string."""


class Wheel(AnswerBody):
    """The wheel of today."""

    version: int
    """A spin keeps the version it was drawn on."""
    segments: list[SegmentWithOdds]
    """In the order that `segment_index` counts, from 0."""


class Fairness(AnswerBody):
    """What a spin was drawn from; with `server_seed`, once it is revealed, anyone can draw it again."""

    server_seed_hash: str
    """SHA-256 of the server seed in hex, as committed to before the spin."""
    client_seed: str
    """The member's part in the draw."""
    nonce: int
    """How many spins the server seed had before."""
    server_seed: str | None = None
    """In hex; null until it is revealed."""


class SpinReceipt(AnswerBody):
    """A spin, drawn and paid out."""

    id: int
    """The spin's id."""
    segment_index: int
    """Where the wheel stops: a position in its `segments`, from 0."""
    segment: Segment
    """What was drawn."""
    reward_code: str | None
    """Won: a bonus code that this member claims by `POST /v1/codes/claim` within 24 hours; null: nothing won."""
    fairness: Fairness
    """To verify the spin with."""
    next_spin_at: datetime
    """When the next spin is due: the next UTC midnight."""


class MyWheel(AnswerBody):
    """What a member needs before a spin, to be able to verify it afterwards."""

    server_seed_hash: str
    """SHA-256 in hex of the server seed that the next spin is drawn from."""
    next_server_seed_hash: str
    """The same of the server seed that follows it."""
    nonce: int
    """How many spins the server seed has had."""
    client_seed: str
    """What the next spin takes unless it brings its own."""
    next_spin_at: datetime | None
    """When the next spin is due; null: now."""
