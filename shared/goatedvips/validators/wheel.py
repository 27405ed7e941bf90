"""Request and answer bodies of the wheel."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, StringConstraints, field_validator

from goatedvips.validators.fields import CLEAN, LINE, Amount, AnswerBody, Money, RequestBody, matching

_CLIENT_SEED = r"^[A-Za-z0-9_-]{1,64}$"
_LARGEST_SUM = 1_000_000_000  # of the weights
_MOST_SEGMENTS = 100

type _ClientSeed = Annotated[
    str,
    Field(json_schema_extra={"pattern": _CLIENT_SEED}),
    matching(_CLIENT_SEED, "must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -"),
]


class SpinRequest(RequestBody):
    """A spin. The member may choose the client seed; the server decides everything else."""

    client_seed: _ClientSeed | None = None
    """The member's part in the draw. If it is absent, the client seed of the member's last spin is used."""


class RotationRequest(RequestBody):
    """A rotation of the member's server seeds."""

    client_seed: _ClientSeed | None = None
    """The client seed of the next spins. If it is absent, the client seed of the member's last spin is used."""


class SegmentRequest(RequestBody):
    """One segment of a wheel to be published."""

    label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), CLEAN, LINE]
    """The text on the segment."""
    weight: Annotated[int, Field(strict=True, ge=1, le=_LARGEST_SUM)]
    """The segment's share of the draw, relative to the weights of the other segments."""
    value: Annotated[Amount, Field(lt=100_000_000)]
    """The worth of the bonus code that the segment wins, in US dollars. `0.00` means that nothing is won."""


class WheelRequest(RequestBody):
    """A wheel to be published."""

    segments: Annotated[list[SegmentRequest], Field(min_length=1, max_length=_MOST_SEGMENTS)]
    """All segments in their order. At least one of them has the value `0.00`. The weights add up to at most
    1,000,000,000."""

    @field_validator("segments")
    @classmethod
    def _can_lose(cls, segments: list[SegmentRequest]) -> list[SegmentRequest]:
        if all(segment.value > 0 for segment in segments):
            raise ValueError("must have a segment with the value 0.00")
        if sum(segment.weight for segment in segments) > _LARGEST_SUM:
            raise ValueError(f"must have weights that add up to at most {_LARGEST_SUM:,}")
        return segments


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


class WheelVersion(AnswerBody):
    """One version of the wheel."""

    version: int
    """The number of this version. Every spin stores the version that it was drawn on."""
    in_force_from: datetime | None
    """The UTC midnight from which on spins are drawn on this version. It is null for the first version."""
    segments: list[SegmentWithOdds]
    """All segments. The first one has the `segment_index` 0."""


class Wheel(WheelVersion):
    """The wheel that spins are drawn on now."""

    next: WheelVersion | None
    """The version that replaces this one at its `in_force_from`. It is null if none is published."""


class Fairness(AnswerBody):
    """The inputs of a spin's draw. Once `server_seed` is revealed, anyone can repeat the draw with them."""

    server_seed_hash: str
    """The SHA-256 of the server seed, in hex. It was published before the spin."""
    client_seed: str
    """The member's part in the draw."""
    client_seed_by: Literal["member", "house"]
    """`member` if the client seed is not the member's id, and the member first used it after the server seed was made.
    Otherwise `house`: the server seed could then have been chosen with the client seed in view."""
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


class PastSpin(AnswerBody):
    """A spin of the member."""

    id: int
    """The id of the spin."""
    spun_at: datetime
    """When the member spun the wheel."""
    segment_index: int
    """The position of the drawn segment in the wheel's segments, counted from 0."""
    segment: Segment | None
    """The drawn segment. It is null if the spin is older than this platform, because its wheel is then unknown."""
    reward_code: str | None
    """The bonus code that was won. It is null if nothing was won."""
    version: int | None
    """The number of the version of the wheel that the spin was drawn on. It is null if that is unknown."""
    fairness: Fairness | None
    """The inputs of the draw. They are null if the spin is older than this platform: it cannot be verified."""


class VerifiableSpin(PastSpin):
    """A spin of the member, with the wheel that it was drawn on."""

    published_at: datetime | None
    """When staff published the version of the wheel. It is null if the version is unknown."""
    segments: list[SegmentWithOdds] | None
    """All segments of the wheel that the spin was drawn on, in their order. They are null if the wheel is unknown."""


class ServerSeed(AnswerBody):
    """One server seed of the member: the upcoming one, the active one, or a revealed one."""

    id: int
    """The id of the server seed."""
    server_seed_hash: str
    """The commitment: the SHA-256 of the server seed, in hex. It never changes."""
    server_seed: str | None
    """The server seed, in hex. It is null until the seed is revealed."""
    spins: int
    """The number of spins that were drawn from the server seed. Their nonces are 0, 1, 2 and so on without a gap."""
    chosen_client_seed: str | None
    """The client seed that the member chose with the rotation that activated the server seed. It is null if they chose
    none."""
    created_at: datetime
    """When the server seed was made."""
    activated_at: datetime | None
    """When the server seed became the active one. It is null for the upcoming one."""
    revealed_at: datetime | None
    """When the server seed was revealed. It is null for the upcoming one and the active one."""


class Rotation(AnswerBody):
    """A rotation of the member's server seeds."""

    revealed: ServerSeed
    """The server seed that was revealed. Its spins can be verified now."""
    server_seed_hash: str
    """The SHA-256, in hex, of the server seed that the next spin is drawn from. It was shown before as
    `next_server_seed_hash`."""
    next_server_seed_hash: str
    """The SHA-256, in hex, of the server seed that will be used after the present one."""
    client_seed: str
    """The client seed of the next spin, unless its request brings another one."""
