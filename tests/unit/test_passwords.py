"""Which passwords are taken, and how they are stored and compared."""

import hashlib
import unicodedata
from collections.abc import Callable

import argon2
import pytest

from goatedvips.domain.accounts import passwords
from goatedvips.errors import InvalidCredentials, ValidationFailed

# Made by the legacy application: crypto.scryptSync(password, salt, 64).toString("hex") + "." + salt
BY_NODE = {
    "correct horse battery": (
        "ba9c3ef700b6de474b706aea98d13043eda61fb74744cfa3ddc2c124d41d72bb"
        "d9133a089140f0b26271c4d8d5d92dcf186b8f3451bcab31527466fff1000bf8.00112233445566778899aabbccddeeff"
    ),
    "pässwörter ünd 🐐": (
        "cb8e30307644caa7156f2b296eab57f366bca2cca67a4582f9238e950e5eaef1"
        "b830efd506d79c9c685491f43c2801e37ba858f7098767c5dbc2b1f91a5f1537.00112233445566778899aabbccddeeff"
    ),
}


@pytest.mark.parametrize("password", BY_NODE)
def test_what_node_stored_is_verified_and_replaced(password: str) -> None:
    stored = BY_NODE[password]
    assert passwords.matches(stored, password)
    assert not passwords.matches(stored, password + " ")
    replaced = passwords.verify_and_upgrade(stored, password, legacy=False)
    assert replaced.startswith("$argon2id$")
    assert passwords.matches(replaced, password)


def test_what_node_stored_stays_while_it_runs() -> None:
    password, stored = next(iter(BY_NODE.items()))
    assert passwords.verify_and_upgrade(stored, password, legacy=True) == stored


def test_while_node_runs_its_format_is_written() -> None:
    stored = passwords.hash_password("a new password", legacy=True)
    key, salt = stored.split(".")
    assert (len(key), len(salt)) == (128, 32)
    assert passwords.matches(stored, "a new password")
    of_ours = passwords.hash_password("a new password", legacy=False)
    rewritten = passwords.verify_and_upgrade(of_ours, "a new password", legacy=True)
    assert passwords.matches(rewritten, "a new password")
    assert not rewritten.startswith("$")


def test_a_hash_of_today_stays_and_a_weaker_one_is_replaced() -> None:
    stored = passwords.hash_password("a new password", legacy=False)
    assert passwords.verify_and_upgrade(stored, "a new password", legacy=False) == stored
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("a new password")
    replaced = passwords.verify_and_upgrade(weaker, "a new password", legacy=False)
    assert replaced != weaker
    assert passwords.matches(replaced, "a new password")


@pytest.mark.parametrize(
    "stored", [None, "", ".", "unusable", "plain text", "$argon2id$", "$2b$12$bcrypt", f"{'0' * 128}.", "ab.cd"]
)
def test_what_is_no_hash_matches_nothing(stored: str | None) -> None:
    for password in ("", "plain text", "unusable", "a" * 10_000):
        assert not passwords.matches(stored, password)
    with pytest.raises(InvalidCredentials):
        passwords.verify_and_upgrade(stored, "plain text", legacy=False)


@pytest.mark.parametrize("stored", [None, *BY_NODE.values(), passwords._DUMMY_ARGON2, "unusable"])
def test_a_wrong_password_takes_both_comparisons_whatever_is_stored(
    stored: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    for name in ("_by_argon2", "_by_scrypt"):
        real = getattr(passwords, name)

        def noting(stored: str, password: str, name: str = name, real: Callable[[str, str], bool] = real) -> bool:
            if passwords._is_argon2(stored) or passwords._SCRYPT.fullmatch(stored):
                compared.append(name)
            return real(stored, password)

        monkeypatch.setattr(passwords, name, noting)
    assert not passwords.matches(stored, "a wrong password")
    assert sorted(compared) == ["_by_argon2", "_by_scrypt"]


def test_what_nobody_has_costs_what_everybody_has() -> None:
    assert not passwords._argon2().check_needs_rehash(passwords._DUMMY_ARGON2)
    assert passwords._SCRYPT.fullmatch(passwords._DUMMY_SCRYPT)


@pytest.mark.parametrize(
    "password",
    ["1q2w3e4r5t6y", "1Q2W3E4R5T6Y", "Telechargement", "member.of.goats", "MEMBER.OF.GOATS", "Goat@Example.com"],
)
def test_what_others_try_first_is_refused(password: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        passwords.check_new(password, "Member.Of.Goats", "goat@example.com")
    assert refused.value.members["errors"][0]["pointer"] == "/password"  # type: ignore[index]


def test_others_are_taken() -> None:
    passwords.check_new("1q2w3e4r5t6y!", "member.of.goats", "goat@example.com")


def test_the_list_of_common_passwords_is_long_and_lower_case() -> None:
    common = passwords._common()
    assert len(common) > 10_000
    assert all(entry == entry.lower() for entry in common if not entry.startswith("# "))


def test_a_password_is_the_same_however_its_accents_are_typed() -> None:
    composed, decomposed = "übergröße 123", unicodedata.normalize("NFD", "übergröße 123")
    assert composed != decomposed
    for hashed_by_us in (
        passwords.hash_password(decomposed, legacy=False),
        passwords.hash_password(decomposed, legacy=True),
    ):
        assert passwords.matches(hashed_by_us, composed)
        assert passwords.matches(hashed_by_us, decomposed)
    key = hashlib.scrypt(decomposed.encode(), salt=b"5a17", n=16_384, r=8, p=1, dklen=64)
    assert passwords.matches(f"{key.hex()}.5a17", decomposed), "the legacy application hashed what was typed"
