"""The draw of the wheel. Anyone can repeat it with the revealed server seed: docs/fairness.md describes how."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import Literal

type ChosenBy = Literal["member", "house"]


@dataclass(frozen=True, slots=True)
class Fairness:
    """The inputs of a spin's draw.

    Parameters
    ----------
    server_seed_hash: SHA-256 of the server seed, in hex.
    client_seed_by: who chose the client seed; see `client_seeds`.
    server_seed: in hex; None until it is revealed.
    """

    server_seed_hash: str
    client_seed: str
    client_seed_by: ChosenBy
    nonce: int
    server_seed: str | None = None


def draw(server_seed: bytes, client_seed: str, nonce: int, weights: Sequence[int]) -> int:
    """The index of the segment that these seeds select.

    Each round of HMAC-SHA256 gives four 64-bit numbers. With W the sum of the weights, a number at or above the
    largest multiple of W that fits into 64 bits is rejected, because taking it modulo W would favour the first
    segments. The first number that is not rejected, modulo W, selects the segment.

    Parameters
    ----------
    server_seed: 32 bytes; the HMAC's key is these bytes, not their hex text.
    client_seed: the member's part of the HMAC's message.
    nonce: how many spins the server seed had before this one, from 0.
    weights: one integer of at least 1 for each segment, in the segments' order.
    """
    total = sum(weights)
    limit = 2**64 // total * total
    for number in _numbers(server_seed, client_seed, nonce):
        if number < limit:
            return next(index for index, bound in enumerate(accumulate(weights)) if number % total < bound)
    raise AssertionError("_numbers never ends")


def _numbers(server_seed: bytes, client_seed: str, nonce: int) -> Iterator[int]:
    for round_number in count():
        digest = hmac.digest(server_seed, f"{client_seed}:{nonce}:{round_number}".encode(), "sha256")
        for start in range(0, 32, 8):
            yield int.from_bytes(digest[start : start + 8])


def commitment(server_seed: bytes) -> str:
    """The SHA-256 of a server seed in hex, which is published before the seed is used."""
    return hashlib.sha256(server_seed).hexdigest()


def chosen_by(members_choice: bool) -> ChosenBy:  # noqa: FBT001 - a column of the row
    """Return the value of `client_seed_by` for a result of `client_seeds.is_members_choice`."""
    return "member" if members_choice else "house"
