"""How the personal data in a table are described, and the SQL conditions and values that descriptions are built from.

The conditions and values are bound to `Caller.parameters`.
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
from goatedvips.models.accounts import users

ERASED = "(erased)"
"""Replaces an erased text. No username, seed or code can be equal to it."""
PSEUDONYM = literal("erased:", Text) + cast(CALLER_ID, Text)
"""The username of an erased member. Nobody can register it, because a username has no colon."""

type Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, eq=False)
class PersonalData:
    """The personal data in one table: the member's rows, what the export shows of them, and what an erasure does."""

    table: Table
    rows: Condition
    """Selects the member's rows: these are exported."""
    never_exported: tuple[str, ...] = ()
    """Columns that the export leaves out: secrets, and keys that repeat another column."""
    exported_if: Mapping[str, Condition] = field(default_factory=dict)
    """Columns that are exported only in rows where the condition holds: elsewhere they are about other people, or still
    secret."""
    also_exported: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    """Computed values that are exported beside the columns, by name."""
    delete: Condition | None = None
    """Selects the rows that an erasure deletes."""
    overwrite: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    """The new values that an erasure writes into columns of the rows that it keeps."""
    overwrite_where: Condition | None = None
    """Selects the rows that `overwrite` applies to; None: those of `rows`."""
    scrub_email_in: tuple[str, ...] = ()
    """Text columns that other people write too: an erasure replaces the member's e-mail address in all rows."""
    handled_in_code: tuple[str, ...] = ()
    """Text columns for which the erasure has its own statements."""
    not_personal: tuple[str, ...] = ()
    """Text columns without personal data, such as a status."""


_own = users.alias("own")


def of_member(value: ColumnElement[Any], *conditions: Condition) -> ScalarSelect[Any]:
    """A value from the member's own row, as a scalar subquery for statements on other tables.

    Parameters
    ----------
    value: a column of `OWN`, or an expression of such columns.
    conditions: further conditions on `OWN`; the subquery is null where they do not hold.
    """
    return select(value).where(_own.c.id == CALLER_ID, *conditions).scalar_subquery()


OWN = _own.c
IS_PROVED = and_(OWN.email_verified.is_(true()), OWN.email.op("~")(r'^[^@\s"\\]+@[^@\s"\\]+\.[^@\s"\\]+$'))
"""Whether the member's e-mail address is verified, and is one: an adopted row may have any text in its place.

An unverified address may belong to anybody, so it does not make other rows the member's.
"""
_PROVED_EMAIL = of_member(func.lower(OWN.email), IS_PROVED)


def by_email(column: ColumnElement[str]) -> Condition:
    """Whether a column has the member's verified e-mail address, ignoring case."""
    return func.lower(column) == _PROVED_EMAIL


def names_member(text: ColumnElement[str]) -> Condition:
    """Whether a text contains the member's username, e-mail address or uid, ignoring case."""
    identifiers = (func.nullif(func.lower(name), "") for name in (OWN.username, OWN.email, OWN.uid))
    return exists().where(OWN.id == CALLER_ID, or_(*(func.strpos(func.lower(text), name) > 0 for name in identifiers)))


def deleted(table: Table, rows: Condition, *never_exported: str) -> PersonalData:
    """A table from which an erasure deletes all of the member's rows."""
    return PersonalData(table, rows, never_exported=never_exported, delete=rows)
