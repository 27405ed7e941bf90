"""Passwords: which are refused, how they are hashed, and how they are verified.

Passwords are stored as argon2id hashes.  The legacy application stores `key.salt` in hex, where the key is scrypt of
the salt's hex text with Node's defaults; while it runs beside this one (the setting `LEGACY_APP`), we write its format
too.

We hash passwords in NFC.  The legacy application hashed them as typed, so its hashes are verified with both spellings.
"""

import hashlib
import hmac
import re
import secrets
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from goatedvips.errors import InvalidCredentials, ValidationFailed

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_SCRYPT = re.compile(r"([0-9a-f]{128})\.(.+)", re.IGNORECASE)
# Source: OWASP, Password Storage Cheat Sheet: Argon2id with m=19456 (19 MiB), t=2, p=1.
_MEMORY, _ROUNDS, _LANES = 19_456, 2, 1
# Dummy hashes of discarded random passwords, verified if there is no stored hash, so that the response time does not
# reveal whether an account exists.
_DUMMY_SCRYPT = f"{'0' * 128}.{'0' * 32}"
_DUMMY_ARGON2 = "$argon2id$v=19$m=19456,t=2,p=1$dUCwRMGsdj5jtcwm4lUaeQ$PDiDkKw5XOoMkp+GhF5PLHE7mzlp5DYG8n++yqR5XUk"


def check_new(password: str, username: str, email: str, *, field: str = "password") -> None:
    """Refuse a new password that is easy to guess.

    Parameters
    ----------
    field: the name of the request's field, for the error's pointer.

    Raises
    ------
    ValidationFailed: it is a common password, or equal to the username or the e-mail address, ignoring case.
    """
    lower = password.lower()
    if lower in {username.lower(), email.lower()}:
        reason = "must not be the username or the e-mail address"
    elif lower in _common():
        reason = "must not be one of the commonest passwords"
    else:
        return
    raise ValidationFailed(errors=[{"pointer": f"/{field}", "detail": reason}])


def hash_password(password: str, *, legacy: bool) -> str:
    """Return the hash of a password, to be stored.

    Parameters
    ----------
    legacy: whether to use the legacy application's format.
    """
    if legacy:
        salt = secrets.token_hex(16)
        return f"{_scrypt(_nfc(password), salt).hex()}.{salt}"
    return _argon2().hash(_nfc(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether a password matches the stored hash. A wrong password takes the same time with every hash, or without one.

    Parameters
    ----------
    stored: the stored hash; None if there is no such account.
    """
    if stored is not None and (_by_argon2(stored, password) if _is_argon2(stored) else _by_scrypt(stored, password)):
        return True
    if stored is None or not _is_argon2(stored):
        _by_argon2(_DUMMY_ARGON2, password)
    if stored is None or not _SCRYPT.fullmatch(stored):
        _by_scrypt(_DUMMY_SCRYPT, password)
    return False


def verify(stored: str | None, password: str) -> None:
    """Verify a password.

    Raises
    ------
    InvalidCredentials
    """
    if not matches(stored, password):
        raise InvalidCredentials


def verify_and_upgrade(stored: str | None, password: str, *, legacy: bool) -> str:
    """Verify a password and return the hash to store: the stored one, or a new one in the present format.

    Raises
    ------
    InvalidCredentials
    """
    if not matches(stored, password) or stored is None:
        raise InvalidCredentials
    return hash_password(password, legacy=legacy) if _is_outdated(stored, legacy=legacy) else stored


@cache
def _common() -> frozenset[str]:
    return frozenset(Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").splitlines())


@cache
def _argon2() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=_ROUNDS, memory_cost=_MEMORY, parallelism=_LANES)


def _is_outdated(stored: str, *, legacy: bool) -> bool:
    if legacy or not _is_argon2(stored):
        return legacy == _is_argon2(stored)
    return _argon2().check_needs_rehash(stored)


def _is_argon2(stored: str) -> bool:
    return stored.startswith("$argon2")


def _by_argon2(stored: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _argon2().verify(stored, _nfc(password))
    except (VerificationError, InvalidHashError):
        return False


def _by_scrypt(stored: str, password: str) -> bool:
    parts = _SCRYPT.fullmatch(stored)
    return parts is not None and any(
        hmac.compare_digest(_scrypt(spelling, parts[2]), bytes.fromhex(parts[1]))
        for spelling in dict.fromkeys((password, _nfc(password)))
    )


def _nfc(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def _scrypt(password: str, salt: str) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=16_384, r=8, p=1, dklen=64)
