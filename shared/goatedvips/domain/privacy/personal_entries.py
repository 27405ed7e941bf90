"""Finds and pseudonymises a member's entries in JSON of unknown shape: archived races and participants' histories.

The guide does not define the shape of an archived participant.  An object is taken as a member's entry if it has the
member's id.  If it has no member id, it is theirs by their uid, by their e-mail address, or by their username where no
other uid or e-mail address stands beside it: a free username can be taken by anybody.  Numbers stay exact.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Text, bindparam, case, cast, column, func, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain.access import CALLER_ID
from goatedvips.domain.privacy.personal_data import IS_PROVED, OWN
from goatedvips.models.accounts import users
from goatedvips.models.races import historical_races

# JSON keys in lower case and without underscores.
_ID_KEYS = {"userid"}
_UID_KEYS = {"uid"}
_NAME_KEYS = {"username", "name", "displayname", "nickname", "user", "member", "player", "winner"}
_EMAIL_KEY = "email"
_PERSONAL_KEYS = {*_UID_KEYS, *_NAME_KEYS, _EMAIL_KEY}
_FIGURES = re.compile(r"[\d\s.,:+TZ-]*")


@dataclass(frozen=True, slots=True)
class Person:
    """The identifiers of a member."""

    user_id: int
    username: str
    email: str
    is_proved: bool
    """Whether `email` is a verified e-mail address. If not, it identifies the member only within their own entries."""
    uid: str | None
    namesakes: frozenset[str] = frozenset()
    """Usernames of other members that differ from this one only in case."""

    @property
    def pattern(self) -> str:
        """A PostgreSQL regular expression (case-insensitive) that matches any JSON with an entry of the member.

        It may match other JSON too: `owns` decides.
        """
        patterns = [
            rf'"user_?id": "?{self.user_id}"?[,}}]',
            _escape(json.dumps(self.username, ensure_ascii=False)),
        ]
        if self.uid:
            patterns.append(rf'"uid": "?{_escape(json.dumps(self.uid, ensure_ascii=False)[1:-1])}"?[,}}]')
        if self.is_proved:
            patterns.append(_escape(json.dumps(self.email, ensure_ascii=False)[1:-1]))
        return "|".join(patterns)

    def is_named_in(self, text: str) -> bool:
        """Whether a text from the member's own entry contains one of their identifiers."""
        lower, identifiers = text.lower(), [name.lower() for name in (self.username, self.email, self.uid) if name]
        return lower in identifiers or (
            not _FIGURES.fullmatch(text) and any(identifier in lower for identifier in identifiers)
        )

    def owns(self, entry: dict[str, Any]) -> bool:
        """Whether a JSON object is an entry of the member."""
        fields = [(_plain(key), value) for key, value in entry.items() if isinstance(value, str | Decimal | int)]
        ids = {str(value) for key, value in fields if key in _ID_KEYS}
        if ids:
            return str(self.user_id) in ids
        is_named = any(key in _NAME_KEYS and self._is_username(value) for key, value in fields)
        if any(str(value).lower() == self.email.lower() for _, value in fields):
            return self.is_proved or is_named
        uids = {str(value) for key, value in fields if key in _UID_KEYS}
        return self.uid in uids or (is_named and not uids and not any(key == _EMAIL_KEY for key, _ in fields))

    def _is_username(self, value: object) -> bool:
        if not isinstance(value, str) or not value or value in self.namesakes:
            return False
        return value.lower() == self.username.lower()


def _escape(text: str) -> str:
    return re.sub(r"(\W)", r"\\\1", text)


_other = users.alias("other")
_namesakes = (
    select(func.array_agg(_other.c.username))
    .where(func.lower(_other.c.username) == func.lower(OWN.username), _other.c.id != OWN.id)
    .correlate(OWN.id.table)
    .scalar_subquery()
)
_select_person = select(
    OWN.id, OWN.username, OWN.email, IS_PROVED.label("is_proved"), OWN.uid, _namesakes.label("namesakes")
).where(OWN.id == CALLER_ID)


def read_person(connection: Connection, user_id: int) -> Person:
    """Return the present identifiers of a member."""
    row = connection.execute(_select_person, {"caller_id": user_id}).one()
    return Person(row.id, row.username, row.email, row.is_proved, row.uid, frozenset(row.namesakes or ()))


PATTERN = bindparam("pattern", type_=Text)
"""Bound to `Person.pattern`."""
_participants = historical_races.c.participants
RACE_MATCHES = (cast(_participants, Text) + cast(historical_races.c.metadata, Text)).op("~*")(PATTERN)
"""Whether an archived race may have an entry of the member."""
IS_LIST = func.jsonb_typeof(_participants) == "array"
# The legacy application may have stored a value that is no list: it counts as one entry.
ENTRIES = (
    func.jsonb_array_elements(case((IS_LIST, _participants), else_=func.jsonb_build_array(_participants)))
    .table_valued(column("value", JSONB), with_ordinality="number", name="entry", joins_implicitly=True)
    .render_derived()
)
"""The entries of an archived race as rows, `value` and `number` from 1 on."""
ENTRY_MATCHES = cast(ENTRIES.c.value, Text).op("~*")(PATTERN)
"""Whether an entry may be the member's."""


def find_entries(person: Person, value: object) -> Iterator[dict[str, Any]]:
    """Yield the member's entries at any depth of a JSON value; an entry within another one is not yielded again."""
    if isinstance(value, dict) and person.owns(value):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from find_entries(person, part)


def pseudonymise(person: Person, text: str, pseudonym: str, *, is_own: bool = False) -> str:
    """Replace what identifies the member in JSON text; every other text and every figure stays the same.

    Parameters
    ----------
    is_own: the whole value is the member's, even if no identifier in it says so.
    """

    def identifies(key: str, value: object, own: bool) -> bool:  # noqa: FBT001 - a nested function
        if own and isinstance(value, str):
            return key in _PERSONAL_KEYS or person.is_named_in(value)
        if own:
            return isinstance(value, Decimal) and key in _UID_KEYS
        return isinstance(value, str) and person.is_proved and person.email.lower() in value.lower()

    def replace(key: str, value: object, own: bool) -> object:  # noqa: FBT001 - a nested function
        match value:
            case dict():
                own = person.owns(value) or (own and not any(_plain(inner) in _ID_KEYS for inner in value))
                return {inner: replace(_plain(inner), part, own) for inner, part in value.items()}
            case list():
                return [replace(key, part, own) for part in value]
        return pseudonym if identifies(key, value, own) else value

    parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return _dump(replace("", parsed, is_own))


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _dump(value: object) -> str:
    """Write JSON with exact decimals, which `json.dumps` cannot."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{_dump(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_dump, value)) + "]"
        case Decimal():
            return f"{value:f}"
    return json.dumps(value)
