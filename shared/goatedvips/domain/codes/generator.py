"""Texts of generated codes: random, and without characters that are mistaken for each other."""

import secrets

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 characters, so each has 5 random bits
LENGTH = 16


def new_code() -> str:
    """A new code of 80 random bits, in groups of four characters."""
    characters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(characters[start : start + 4] for start in range(0, LENGTH, 4))
