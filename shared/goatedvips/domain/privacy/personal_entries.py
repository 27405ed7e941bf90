"""A member's entries in JSON of unknown shape: the archive of races, and what participants' histories hold.

The guide does not say what an archived participant looks like.  So an object is taken for a member's by what identifies
them in it: their id; or else their uid, their address, or their name where no other uid or address stands beside it,
since anybody may have taken a name that was free.  Numbers stay exact on the way.
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
from goatedvips.domain.privacy.holding import IS_PROVED, OWN
from goatedvips.models.accounts import users
from goatedvips.models.races import historical_races

# Keys without case and underscores.
_IDS = {"userid"}
_UIDS = {"uid"}
_NAMES = {"username", "name", "displayname", "nickname", "user", "member", "player", "winner"}
_EMAIL = "email"
_PERSONAL = {*_UIDS, *_NAMES, _EMAIL}
_FIGURES = re.compile(r"[\d\s.,:+TZ-]*")


@dataclass(frozen=True, slots=True)
class Person:
    """By what a member is known."""

    user_id: int
    username: str
    email: str
    is_proved: bool
    """The address is one, and theirs: else it says nothing in what is not theirs already."""
    uid: str | None
    namesakes: frozenset[str] = frozenset()
    """Names of other members that differ in case alone."""

    @property
    def mark(self) -> str:
        """A regular expression that PostgreSQL finds, ignoring case, in any JSON that has an entry of theirs."""
        marks = [rf'"user_?id": "?{self.user_id}"?[,}}]', _literally(json.dumps(self.username, ensure_ascii=False))]
        if self.uid:
            marks.append(rf'"uid": "?{_literally(json.dumps(self.uid, ensure_ascii=False)[1:-1])}"?[,}}]')
        if self.is_proved:
            marks.append(_literally(json.dumps(self.email, ensure_ascii=False)[1:-1]))
        return "|".join(marks)

    def is_named_in(self, text: str) -> bool:
        """Whether a text of theirs has anything in it that they are known by."""
        lower, known = text.lower(), [name.lower() for name in (self.username, self.email, self.uid) if name]
        return lower in known or (not _FIGURES.fullmatch(text) and any(name in lower for name in known))

    def owns(self, entry: dict[str, Any]) -> bool:
        """Whether an object tells of them."""
        fields = [(_plain(key), value) for key, value in entry.items() if isinstance(value, str | Decimal | int)]
        ids = {str(value) for key, value in fields if key in _IDS}
        if ids:
            return str(self.user_id) in ids
        is_named = any(key in _NAMES and self._is_name(value) for key, value in fields)
        if any(str(value).lower() == self.email.lower() for _, value in fields):
            return self.is_proved or is_named
        uids = {str(value) for key, value in fields if key in _UIDS}
        return self.uid in uids or (is_named and not uids and not any(key == _EMAIL for key, _ in fields))

    def _is_name(self, value: object) -> bool:
        if not isinstance(value, str) or not value or value in self.namesakes:
            return False
        return value.lower() == self.username.lower()


def _literally(text: str) -> str:
    return re.sub(r"(\W)", r"\\\1", text)


_alike = users.alias("alike")
_namesakes = (
    select(func.array_agg(_alike.c.username))
    .where(func.lower(_alike.c.username) == func.lower(OWN.username), _alike.c.id != OWN.id)
    .correlate(OWN.id.table)
    .scalar_subquery()
)
_person = select(
    OWN.id, OWN.username, OWN.email, IS_PROVED.label("is_proved"), OWN.uid, _namesakes.label("namesakes")
).where(OWN.id == CALLER_ID)


def person(connection: Connection, user_id: int) -> Person:
    """By what a member is known now."""
    row = connection.execute(_person, {"caller_id": user_id}).one()
    return Person(row.id, row.username, row.email, row.is_proved, row.uid, frozenset(row.namesakes or ()))


MARK = bindparam("mark", type_=Text)
"""Bound to `Person.mark`: what has it may be theirs, what has not is not."""
_participants = historical_races.c.participants
HAS_THE_MARK = (cast(_participants, Text) + cast(historical_races.c.metadata, Text)).op("~*")(MARK)
IS_LIST = func.jsonb_typeof(_participants) == "array"
# What is no list, as the guide's application may have it, counts as one entry.
EACH = (
    func.jsonb_array_elements(case((IS_LIST, _participants), else_=func.jsonb_build_array(_participants)))
    .table_valued(column("value", JSONB), with_ordinality="number", name="entry", joins_implicitly=True)
    .render_derived()
)
IS_MARKED = cast(EACH.c.value, Text).op("~*")(MARK)


def entries(person: Person, value: object) -> Iterator[dict[str, Any]]:
    """The objects within that tell of the member, each whole."""
    if isinstance(value, dict) and person.owns(value):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from entries(person, part)


def pseudonymised(person: Person, text: str, pseudonym: str, *, theirs: bool = False) -> str:
    """JSON in which nothing tells any more who the member is, and every figure is as it was.

    Parameters
    ----------
    theirs: all of it tells of them, whatever identifies them in it.
    """

    def names_them(key: str, value: object, own: bool) -> bool:  # noqa: FBT001 - within
        if own and isinstance(value, str):
            return key in _PERSONAL or person.is_named_in(value)
        if own:
            return isinstance(value, Decimal) and key in _UIDS
        return isinstance(value, str) and person.is_proved and person.email.lower() in value.lower()

    def without(key: str, value: object, own: bool) -> object:  # noqa: FBT001 - within
        match value:
            case dict():
                own = person.owns(value) or (own and not any(_plain(inner) in _IDS for inner in value))
                return {inner: without(_plain(inner), part, own) for inner, part in value.items()}
            case list():
                return [without(key, part, own) for part in value]
        return pseudonym if names_them(key, value, own) else value

    parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return _written(without("", parsed, theirs))


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _written(value: object) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(key)}:{_written(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_written, value)) + "]"
        case Decimal():
            return f"{value:f}"
    return json.dumps(value)
