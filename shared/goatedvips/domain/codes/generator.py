"""Texts of generated codes: random, and without characters that are mistaken for each other."""

import secrets

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 characters, so each has 5 random bits
LENGTH = 16
_GROUP = 4
# Each character stands for 8 of the 256 bytes, so random bytes give all characters with the same probability.
_CHARACTER_OF_BYTE = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))


def new_code() -> str:
    """Return a new code of 80 random bits, in groups of four characters."""
    return new_codes(1)[0]


def new_codes(count: int) -> list[str]:
    """Return `count` new codes. Their random bytes are read at once, because one call for each takes far longer."""
    characters = secrets.token_bytes(LENGTH * count).translate(_CHARACTER_OF_BYTE).decode("ascii")
    groups = [characters[start : start + _GROUP] for start in range(0, len(characters), _GROUP)]
    return ["-".join(groups[start : start + LENGTH // _GROUP]) for start in range(0, len(groups), LENGTH // _GROUP)]
