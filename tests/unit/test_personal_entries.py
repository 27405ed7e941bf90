"""A member's entries are found and pseudonymised in archived JSON of any shape."""

import json
import re
from typing import Any

import pytest

from goatedvips.domain.privacy.personal_entries import Person, find_entries, pseudonymise

NANNY = Person(7, "Nanny", "nanny@example.com", is_proved=True, uid="123", namesakes=frozenset({"NANNY"}))
UNPROVED = Person(7, "Nanny", "nanny@example.com", is_proved=False, uid=None)

ENTRIES_OF_MEMBER = [
    {"userId": 7},
    {"user_id": "7", "username": "Anna"},
    {"username": "nanny"},
    {"username": "nanny", "uid": None, "email": None},
    {"Display_Name": "Nanny"},
    {"uid": "123"},
    {"uid": 123},
    {"contact": "NANNY@example.com"},
    {"userId": 7, "username": "Billy", "email": "billy@example.com"},
]
OTHER_ENTRIES = [
    {},
    {"userId": 17, "username": "Nanny"},
    {"userId": 70},
    {"username": "NANNY"},
    {"username": "Nanny2"},
    {"username": "Nanny", "uid": "999"},
    {"username": "Nanny", "email": "billy@example.com"},
    {"title": "Nanny"},
    {"uid": "1234"},
    {"rank": 7, "id": 7, "total": 123},
    {"uid": None},
    {"username": None},
]


def matches_pattern(person: Person, entry: object) -> bool:
    """Whether the member's pattern matches the entry as PostgreSQL writes it: like Python, without ASCII escapes."""
    return bool(re.search(person.pattern, json.dumps(entry, ensure_ascii=False), re.IGNORECASE))


@pytest.mark.parametrize("entry", ENTRIES_OF_MEMBER, ids=json.dumps)
@pytest.mark.parametrize(
    "around",
    [
        lambda entry: entry,
        lambda entry: [{"userId": 1}, entry],
        lambda entry: {"first": {"deeper": [entry]}},
        lambda entry: {"rank": 1, "user": entry},
    ],
    ids=["alone", "listed", "deep", "within"],
)
def test_an_entry_of_the_member_is_found_at_any_depth(entry: dict[str, Any], around: Any) -> None:
    value = around(entry)
    assert list(find_entries(NANNY, value)) == [entry]
    assert matches_pattern(NANNY, value)
    left = pseudonymise(NANNY, json.dumps(value), "erased:7")
    assert not re.search("nanny|anna|billy|123", left, re.IGNORECASE)


@pytest.mark.parametrize("entry", OTHER_ENTRIES, ids=json.dumps)
def test_an_entry_of_somebody_else_does_not_change(entry: dict[str, Any]) -> None:
    assert list(find_entries(NANNY, [entry])) == []
    assert json.loads(pseudonymise(NANNY, json.dumps([entry]), "erased:7")) == [entry]


def test_an_entry_of_somebody_else_within_the_member_s_does_not_change() -> None:
    entry = {"userId": 7, "name": "Nanny", "invited_by": {"userId": 8, "name": "Billy"}, "tags": ["nanny's", "gold"]}
    assert json.loads(pseudonymise(NANNY, json.dumps(entry), "erased:7")) == {
        "userId": 7,
        "name": "erased:7",
        "invited_by": {"userId": 8, "name": "Billy"},
        "tags": ["erased:7", "gold"],
    }


def test_a_verified_e_mail_is_replaced_in_every_text() -> None:
    text = '{"note": "paid to Nanny@Example.com", "userId": 8}'
    assert json.loads(pseudonymise(NANNY, text, "x")) == {"note": "x", "userId": 8}
    assert json.loads(pseudonymise(UNPROVED, text, "x")) == json.loads(text)
    assert list(find_entries(UNPROVED, {"email": "nanny@example.com"})) == []
    theirs = '{"userId": 7, "email": "nanny@example.com"}'
    assert json.loads(pseudonymise(UNPROVED, theirs, "x")) == {"userId": 7, "email": "x"}


def test_figures_do_not_change_by_a_digit() -> None:
    digits = "9" * 5000
    text = f'{{"userId":7,"wagered":12345678901234567890.10,"small":0.00000000001,"large":{digits},"on":"2026-05-01"}}'
    assert pseudonymise(NANNY, text, "x") == text
    with_their_uid = '{"uid":"x","wagered":"123.00","rank":123}'
    assert pseudonymise(NANNY, with_their_uid.replace('"x"', '"123"'), "x") == with_their_uid


@pytest.mark.parametrize("text", ["null", "[]", "{}", '""', "1", "true", '"\\u2028\\"\\\\é🐐"'])
def test_other_json_does_not_change(text: str) -> None:
    assert json.loads(pseudonymise(NANNY, text, "x")) == json.loads(text)


@pytest.mark.parametrize("name", ["", "a.b*c", "(x", 'quo"te', "back\\slash", "Ziége", "🐐", "[", "a|b", "^$"])
def test_the_pattern_of_an_odd_username_matches_only_that_username(name: str) -> None:
    odd = Person(7, name, name, is_proved=False, uid=None)
    entry, other = {"username": name}, {"username": "abc"}
    assert list(find_entries(odd, [entry, other])) == ([entry] if name else [])
    assert matches_pattern(odd, entry)
    assert not matches_pattern(odd, other)
