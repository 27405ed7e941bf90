"""Verify a spin of the wheel. It needs only Python's standard library.

    python verify_spin.py SERVER_SEED_HEX CLIENT_SEED NONCE WEIGHT [WEIGHT …]

prints the commitment (the SHA-256 of the server seed), the drawn number and the index of the segment. Compare the
commitment with the `server_seed_hash` that the platform showed before the spin, and the index with the
`segment_index` of the spin.
"""

import hashlib
import hmac
import sys


def draw(server_seed: bytes, client_seed: str, nonce: int, weights: list[int]) -> tuple[int, int]:
    """The drawn number, which is below the sum of the weights, and the index of the segment that it selects."""
    total = sum(weights)
    limit = 2**64 // total * total
    round_number = 0
    while True:
        message = f"{client_seed}:{nonce}:{round_number}".encode()
        digest = hmac.new(server_seed, message, hashlib.sha256).digest()
        for group in range(4):
            number = int.from_bytes(digest[8 * group : 8 * group + 8], "big")
            if number < limit:
                drawn = number % total
                for index in range(len(weights)):
                    if drawn < sum(weights[: index + 1]):
                        return drawn, index
        round_number += 1


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    try:
        seed, nonce = bytes.fromhex(sys.argv[1]), int(sys.argv[3])
        given = [int(weight) for weight in sys.argv[4:]]
    except ValueError as error:
        sys.exit(f"{error}\n{__doc__}")
    number, segment = draw(seed, sys.argv[2], nonce, given)
    print("commitment:", hashlib.sha256(seed).hexdigest())
    print("drawn:", number)
    print("segment_index:", segment)
