"""The rows of the legacy application that need a person's decision, and what can be done about them.

Before an adoption the guide's columns show them, afterwards the missing keys: both queries find the same rows. They
are the same rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    MetaData,
    Numeric,
    Select,
    Table,
    and_,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.types import Date, Text

from database.checks import accounts
from database.checks.finding import Command
from database.checks.questions import Columns, Kind, Question
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes
from goatedvips.models.newsletter import newsletter_subscriptions
from goatedvips.models.notifications import notification_preferences
from goatedvips.models.races import wager_race_participants
from goatedvips.models.wheel import wheel_spins
from migrations import routines


@dataclass(frozen=True, slots=True)
class Key:
    """A key column, which only one row of a group can have: the oldest."""

    column: Column[object]
    """Unique; null in all rows of a group but one."""
    made_of: Column[object]
    reads: ColumnElement[object]
    scope: tuple[Column[object], ...]
    what: str
    do: str
    first: ColumnElement[bool] | None = None
    """Which rows have the key before older ones."""


def code_key(code: ColumnElement[Any]) -> ColumnElement[Any]:
    """The text that a code is matched by, as the database's function `code_key` makes it."""
    nfkc = literal_column("NFKC", Text)
    visible = func.regexp_replace(func.normalize(code, nfkc), f"[{routines.IGNORED_IN_CODES}]", "", "g")
    return func.upper(func.normalize(visible, nfkc))


KEYS = (
    Key(
        users.c.username_key,
        users.c.username,
        func.lower(users.c.username),
        (),
        "usernames equal to an older member's, ignoring case",
        "they can log in only by the exact spelling; rename them with their consent, or leave them",
    ),
    Key(
        users.c.email_key,
        users.c.email,
        func.lower(users.c.email),
        (),
        "e-mail addresses equal to an older member's, ignoring case",
        "perhaps one person twice: ask them, then change one address or suspend one account, or leave them",
    ),
    Key(
        wheel_spins.c.spin_day,
        wheel_spins.c.timestamp,
        cast(wheel_spins.c.timestamp, Date),
        (wheel_spins.c.user_id,),
        "spins after the member's first of that UTC day",
        "the first counts for the day and all stay; decide whether what they won is honoured",
    ),
    Key(
        bonus_codes.c.code_key,
        bonus_codes.c.code,
        code_key(bonus_codes.c.code),
        (),
        "codes that read like an older one, ignoring case, spaces, dashes and invisible characters",
        "only the oldest can be claimed, if any has neither invisible nor full-width characters the oldest of these;"
        " give them another spelling, or let them expire",
        # What an earlier step gave its key to keeps it.
        func.upper(func.regexp_replace(bonus_codes.c.code, r"[\s\u00a0\u2010-\u2015\u2212-]", "", "g"))
        == code_key(bonus_codes.c.code),
    ),
    Key(
        wager_race_participants.c.member_key,
        wager_race_participants.c.user_id,
        wager_race_participants.c.user_id,
        (wager_race_participants.c.race_id,),
        "further rows of a member in the same race",
        "the oldest is the participation; add what they wagered to it, or leave them",
    ),
    Key(
        newsletter_subscriptions.c.email_key,
        newsletter_subscriptions.c.email,
        func.lower(newsletter_subscriptions.c.email),
        (),
        "addresses equal to an older subscription's, ignoring case",
        "the oldest is the subscription; where one of them has unsubscribed, let the oldest say so too",
    ),
)


def questions(guide: MetaData, columns: Columns, *, keyed: bool) -> Iterator[Question]:
    """Yield the questions for a database.

    Parameters
    ----------
    guide: the guide's tables.
    columns: what is there.
    keyed: the newest schema is there, and each row has its key or has none because it came too late.
    """
    for key in KEYS:
        yield from _of_key(key, columns.get(key.column.table.name, set()), keyed=keyed)
    yield Question(
        "users",
        frozenset({"username", "email"}),
        (
            Kind(
                "usernames that are another member's e-mail address, ignoring case",
                "who logs in with that address may mean either; rename them with their consent",
            ),
        ),
        _named_as_another(),
    )
    yield from accounts.questions(keyed=keyed)
    ownerless = notification_preferences.c
    has_owner = "user_id" in columns.get("notification_preferences", set())
    yield Question(
        "notification_preferences",
        frozenset(),
        (
            Kind(
                "preferences without an owner",
                "the guide's table doesn't say whose they are, so they mean nothing; members you know of may set theirs"
                " anew",
            ),
        ),
        select(ownerless.id, null()).where(literal_column("user_id IS NULL" if has_owner else "true")),
    )
    for table in guide.sorted_tables:
        yield from _of_values(table)


def _of_key(key: Key, columns: set[str], *, keyed: bool) -> Iterator[Question]:
    table, needs = key.column.table.name, frozenset({key.made_of.name, *(column.name for column in key.scope)})
    if not keyed:
        late = _late(key, has_column=key.column.name in columns)
        yield Question(table, needs, (Kind(key.what, key.do),), late)
        return
    holder = key.column.table.alias("holder")
    same = (holder.c[column.name] == column for column in key.scope)
    keyless = key.column.is_(None), key.reads.is_not(None), *(column.is_not(None) for column in key.scope)
    found = (
        select(key.column.table.c.id, holder.c.id)
        .select_from(key.column.table.outerjoin(holder, and_(holder.c[key.column.name] == key.reads, *same)))
        .where(*keyless)
    )
    yield Question(table, needs, (Kind(key.what, key.do),), found.where(holder.c.id.is_not(None)))
    free = Kind(
        f"rows without {key.column.name}, though no other row has theirs any more",
        f"UPDATE {table} SET {key.made_of.name} = {key.made_of.name} WHERE {key.column.name} IS NULL"  # noqa: S608
        " gives it to the oldest of them",
        command=Command.GIVE_FREE_KEY,
    )
    yield Question(table, needs, (free,), found.where(holder.c.id.is_(None)))


def _late(key: Key, *, has_column: bool) -> Select[*tuple[Any, ...]]:
    """Find the rows of each group except the one that has the key, or will have it."""
    table = key.column.table
    order = [
        *([key.column.is_(None)] if has_column else []),
        *([~key.first] if key.first is not None else []),
        table.c.id,
    ]
    first = func.first_value(table.c.id).over(partition_by=[*key.scope, key.reads], order_by=order)
    given = key.made_of.is_not(None), *(column.is_not(None) for column in key.scope)  # reading it may take long
    rows = select(table.c.id, first.label("holder")).where(*given).subquery()
    return select(rows.c.id, rows.c.holder).where(rows.c.id != rows.c.holder)


def _named_as_another() -> Select[*tuple[Any, ...]]:
    other = users.alias("other")
    same = func.lower(users.c.username) == func.lower(other.c.email)
    return select(users.c.id, func.min(other.c.id)).where(same, users.c.id != other.c.id).group_by(users.c.id)


def _of_values(table: Table) -> Iterator[Question]:
    """Yield questions for values outside the calendar or without a sum; Drizzle reads `infinity` as the year 2000."""
    for column in table.columns:
        if isinstance(column.type, DateTime):
            outside = or_(
                column < literal_column("timestamp '0001-01-01'"),
                column >= literal_column("timestamp '10000-01-01'"),
            )
            kind = Kind(
                f"times in {column.name} outside the years 1 to 9999, or infinite",
                "they are answered as the nearest year; write the time that is meant",
            )
        elif isinstance(column.type, Numeric):
            outside = column == literal_column("numeric 'NaN'")
            kind = Kind(
                f"NaN in {column.name}", "no sum or rank comes out right with it; write the number that is meant"
            )
        else:
            continue
        yield Question(table.name, frozenset({column.name}), (kind,), select(table.c.id, null()).where(outside))
