"""Request and answer bodies of the wheel."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

from goatedvips.validators.fields import AnswerBody, Money, RequestBody, matching

_CLIENT_SEED = r"^[A-Za-z0-9_-]{1,64}$"


class SpinRequest(RequestBody):
    """A spin. The member may choose the client seed; the server decides everything else."""

    client_seed: (
        Annotated[
            str,
            Field(json_schema_extra={"pattern": _CLIENT_SEED}),
            matching(_CLIENT_SEED, "must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -"),
        ]
        | None
    ) = None
    """The member's part in the draw. If it is absent, the client seed of the member's last spin is used."""


class Segment(AnswerBody):
    """One segment of the wheel."""

    label: str
    """The text on the segment."""
    weight: int
    """The segment's share of the draw, relative to the weights of the other segments."""
    value: Money
    """The worth of the bonus code that the segment wins, in US dollars. `0.00` means that nothing is won."""


class SegmentWithOdds(Segment):
    """One segment of the wheel, with its chance to be drawn."""

    odds: Annotated[Decimal, PlainSerializer(lambda odds: f"{odds:f}", return_type=str)]
    """The segment's weight divided by the sum of all weights, as a decimal string."""


class Wheel(AnswerBody):
    """The wheel that spins are drawn on now."""

    version: int
    """The number of this version. Every spin stores the version that it was drawn on."""
    segments: list[SegmentWithOdds]
    """All segments. The first one has the `segment_index` 0."""


class Fairness(AnswerBody):
    """The inputs of a spin's draw. Once `server_seed` is revealed, anyone can repeat the draw with them."""

    server_seed_hash: str
    """The SHA-256 of the server seed, in hex. It was published before the spin."""
    client_seed: str
    """The member's part in the draw."""
    nonce: int
    """The number of spins that were drawn from the server seed before this one."""
    server_seed: str | None = None
    """The server seed, in hex. It is null until the seed is revealed."""


class SpinReceipt(AnswerBody):
    """A spin and what it won."""

    id: int
    """The id of the spin."""
    segment_index: int
    """The position of the drawn segment in the wheel's `segments`, counted from 0."""
    segment: Segment
    """The drawn segment."""
    reward_code: str | None
    """The bonus code that was won. Only this member can claim it, with `POST /v1/codes/claim`, within 24 hours. It is
    null if nothing was won."""
    fairness: Fairness
    """The inputs of the draw, which make the spin verifiable."""
    next_spin_at: datetime
    """The next UTC midnight, from which on the member can spin again."""


class MyWheel(AnswerBody):
    """What a member needs to note before a spin, so that they can verify it afterwards."""

    server_seed_hash: str
    """The SHA-256, in hex, of the server seed that the next spin is drawn from."""
    next_server_seed_hash: str
    """The SHA-256, in hex, of the server seed that will be used after the present one."""
    nonce: int
    """The number of spins that were drawn from the present server seed."""
    client_seed: str
    """The client seed of the next spin, unless its request brings another one."""
    next_spin_at: datetime | None
    """When the member can spin again. It is null if they can spin now."""
