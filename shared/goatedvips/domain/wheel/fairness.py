"""The draw of the wheel, which anyone can repeat: docs/fairness.md tells how."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from itertools import accumulate, count


def draw(server_seed: bytes, client_seed: str, nonce: int, weights: Sequence[int]) -> int:
    """The index of the segment that these seeds select.

    HMAC-SHA256 gives four 64-bit numbers a round. A number at or above the largest multiple of the sum of weights is
    passed over, because it would favour the first segments.

    Parameters
    ----------
    server_seed: 32 bytes, the key.
    nonce: counts a server seed's spins from 0.
    weights: whole numbers of at least 1.
    """
    total = sum(weights)
    fair = 2**64 // total * total
    for drawn in _numbers(server_seed, client_seed, nonce):
        if drawn < fair:
            return next(index for index, bound in enumerate(accumulate(weights)) if drawn % total < bound)
    raise AssertionError("the numbers don't end")


def _numbers(server_seed: bytes, client_seed: str, nonce: int) -> Iterator[int]:
    for turn in count():
        digest = hmac.digest(server_seed, f"{client_seed}:{nonce}:{turn}".encode(), "sha256")
        for start in range(0, 32, 8):
            yield int.from_bytes(digest[start : start + 8])


def commitment(server_seed: bytes) -> str:
    """What is published of a server seed before it is used: its SHA-256, in hex."""
    return hashlib.sha256(server_seed).hexdigest()
