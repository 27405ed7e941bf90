"""Codes that nobody can guess and everybody can read."""

import secrets

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 letters that are not mistaken for each other: 5 bits each
LENGTH = 16


def new_code() -> str:
    """A code that cannot be guessed: 80 random bits, in groups that can be read out."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(letters[start : start + 4] for start in range(0, LENGTH, 4))
