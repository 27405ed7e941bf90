"""Whose an entry of an archive is, in whatever shape an older application left it, and what stays of it."""

import json
import re
from typing import Any

import pytest

from goatedvips.domain.privacy.personal_entries import Person, entries, pseudonymised

NANNY = Person(7, "Nanny", "nanny@example.com", is_proved=True, uid="123", namesakes=frozenset({"NANNY"}))
UNPROVED = Person(7, "Nanny", "nanny@example.com", is_proved=False, uid=None)

THEIRS = [
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
OTHERS = [
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


def found_by_its_mark(person: Person, entry: object) -> bool:
    """Whether the database finds the entry in its own writing of it, which is Python's but for letters beyond ASCII."""
    return bool(re.search(person.mark, json.dumps(entry, ensure_ascii=False), re.IGNORECASE))


@pytest.mark.parametrize("entry", THEIRS, ids=json.dumps)
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
def test_what_is_theirs_is_found_wherever_it_stands(entry: dict[str, Any], around: Any) -> None:
    value = around(entry)
    assert list(entries(NANNY, value)) == [entry]
    assert found_by_its_mark(NANNY, value)
    left = pseudonymised(NANNY, json.dumps(value), "erased:7")
    assert not re.search("nanny|anna|billy|123", left, re.IGNORECASE)


@pytest.mark.parametrize("entry", OTHERS, ids=json.dumps)
def test_what_is_others_stays(entry: dict[str, Any]) -> None:
    assert list(entries(NANNY, [entry])) == []
    assert json.loads(pseudonymised(NANNY, json.dumps([entry]), "erased:7")) == [entry]


def test_within_their_entry_another_s_stays() -> None:
    entry = {"userId": 7, "name": "Nanny", "invited_by": {"userId": 8, "name": "Billy"}, "tags": ["nanny's", "gold"]}
    assert json.loads(pseudonymised(NANNY, json.dumps(entry), "erased:7")) == {
        "userId": 7,
        "name": "erased:7",
        "invited_by": {"userId": 8, "name": "Billy"},
        "tags": ["erased:7", "gold"],
    }


def test_an_address_goes_from_every_text_if_it_was_proved() -> None:
    text = '{"note": "paid to Nanny@Example.com", "userId": 8}'
    assert json.loads(pseudonymised(NANNY, text, "x")) == {"note": "x", "userId": 8}
    assert json.loads(pseudonymised(UNPROVED, text, "x")) == json.loads(text)
    assert list(entries(UNPROVED, {"email": "nanny@example.com"})) == []
    theirs = '{"userId": 7, "email": "nanny@example.com"}'
    assert json.loads(pseudonymised(UNPROVED, theirs, "x")) == {"userId": 7, "email": "x"}


def test_figures_stay_to_the_last_digit() -> None:
    digits = "9" * 5000
    text = f'{{"userId":7,"wagered":12345678901234567890.10,"small":0.00000000001,"large":{digits},"on":"2026-05-01"}}'
    assert pseudonymised(NANNY, text, "x") == text
    with_their_uid = '{"uid":"x","wagered":"123.00","rank":123}'
    assert pseudonymised(NANNY, with_their_uid.replace('"x"', '"123"'), "x") == with_their_uid


@pytest.mark.parametrize("text", ["null", "[]", "{}", '""', "1", "true", '"\\u2028\\"\\\\é🐐"'])
def test_any_json_stays_itself(text: str) -> None:
    assert json.loads(pseudonymised(NANNY, text, "x")) == json.loads(text)


@pytest.mark.parametrize("name", ["", "a.b*c", "(x", 'quo"te', "back\\slash", "Ziége", "🐐", "[", "a|b", "^$"])
def test_an_odd_name_is_found_by_its_mark_and_no_other(name: str) -> None:
    odd = Person(7, name, name, is_proved=False, uid=None)
    entry, other = {"username": name}, {"username": "abc"}
    assert list(entries(odd, [entry, other])) == ([entry] if name else [])
    assert found_by_its_mark(odd, entry)
    assert not found_by_its_mark(odd, other)
