"""Secret tokens of 256 random bits. The database stores only their hashes."""

import hashlib


def new_token() -> str:
    """Return a new token: 43 characters of the URL-safe base64 alphabet."""
    import secrets  # the authorizer only hashes tokens

    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token, 32 bytes, which is stored and looked up.

    A fast hash is enough, since a token cannot be guessed.
    """
    return hashlib.sha256(token.encode()).digest()
