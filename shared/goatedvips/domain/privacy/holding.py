"""What a table holds of a member, and the conditions and values that such a description is made of.

They are bound to `Caller.parameters`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Table,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)

from goatedvips.domain.access import CALLER_ID
from goatedvips.models.accounts import (
    users,
)

ERASED = "(erased)"
"""Stands where a text of theirs was: no username, seed or code can be this."""
PSEUDONYM = literal("erased:", Text) + cast(CALLER_ID, Text)
"""Their name from then on. Nobody can register it: a username has no colon."""

type Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """What one table holds of members."""

    table: Table
    theirs: Condition
    """Which rows are shown to them."""
    withheld: tuple[str, ...] = ()
    """Columns that are never shown: secrets, and keys that repeat another column."""
    shown_where: Mapping[str, Condition] = field(default_factory=dict)
    """Columns that some rows alone show: in the others they are somebody else's, or still a secret."""
    shown_too: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    """What is shown beside the columns, by name."""
    removed: Condition | None = None
    """Rows that an erasure removes."""
    left: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    """What an erasure writes into columns of the rows that stay …"""
    left_where: Condition | None = None
    """… where they are these, and not simply `theirs`."""
    mentions: tuple[str, ...] = ()
    """Texts that others write too: an erasure takes the member's address out of all of them."""
    apart: tuple[str, ...] = ()
    """Texts that the erasure has statements of its own for."""
    impersonal: tuple[str, ...] = ()
    """Texts that tell nothing of anybody, such as a status."""


_own = users.alias("own")


def of_member(value: ColumnElement[Any], *conditions: Condition) -> ScalarSelect[Any]:
    """What the member's own row holds, as a value in a statement on other rows; `value` is a column of `OWN`."""
    return select(value).where(_own.c.id == CALLER_ID, *conditions).scalar_subquery()


OWN = _own.c
IS_PROVED = and_(OWN.email_verified.is_(true()), OWN.email.op("~")(r'^[^@\s"\\]+@[^@\s"\\]+\.[^@\s"\\]+$'))
"""An address that was never proved may be anybody's, and an old row may have any text in its place: nothing is theirs
by it alone."""
_ADDRESS = of_member(func.lower(OWN.email), IS_PROVED)


def by_email(column: ColumnElement[str]) -> Condition:
    """Whether a row has the member's proved address, ignoring case."""
    return func.lower(column) == _ADDRESS


def names_them(text: ColumnElement[str]) -> Condition:
    """Whether a text of theirs has their name, address or uid in it, ignoring case."""
    known = (func.nullif(func.lower(name), "") for name in (OWN.username, OWN.email, OWN.uid))
    return exists().where(OWN.id == CALLER_ID, or_(*(func.strpos(func.lower(text), name) > 0 for name in known)))
