"""The schemas of rows, compared with PostgreSQL: they accept exactly the values that the tables store unchanged."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models import every
from goatedvips.models.schema import Instant
from goatedvips.postgres import DRIVER
from goatedvips.validators.tables import insert_schema, select_schema

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
# It has the types that no column of ours has.
others = sa.Table(
    "others",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("short", sa.String(3)),
    sa.Column("whole", sa.Numeric(4, 0)),
)
TABLES = [*every.metadata.sorted_tables, others]
# One column of each type. The key of identity_key has a check of its own.
COLUMNS = {
    repr(column.type): column
    for table in TABLES
    for column in table.c
    if table.name != "identity_key" and column.computed is None
}

INTEGERS = [1, 0, -1, *(sign * 2**bits + off for bits in (15, 31, 63) for sign in (1, -1) for off in (-1, 0, 1))]
DECIMALS = [
    Decimal(written)
    for written in (
        *("0", "-0", "0E-20", "1E-2", "1E-3", "1E-8", "1E-9", "1.500", "0.005", "-0.005", "1E+3", "9999", "10000"),
        *("99999999.99", "99999999.991", "99999999.995", "100000000", "9999999999.99999999", "10000000000"),
        *("9999999999.999999990", "9999999999.999999995", "9999999999999999.99", "10000000000000000", "1E+15"),
        *("-9999999999.99999999", "-9999999999999999.995", "Infinity"),
    )
]
TEXTS = ["", "abc", "abcd", "\U0001f410" * 3, "e\u0301", "\uffff", "a\x00", "\ud800", "x" * 10_000]
INSTANTS = [
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC),
    NOON.astimezone(timezone(timedelta(hours=14))),
    NOON.replace(tzinfo=None),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
]
JSON = [
    *(None, True, 1.5, -0.0, 5e-324, 1e22, float("nan"), float("inf"), 10**40, -(10**40), "", "a\x00", "\udc00"),
    *([], {}, {"": {"b": [None, "\u2028\U0001f410"]}}, {"a\x00": 1}, {"\ud800": 1}, ["a\x00"]),
    json.loads("[" * 200 + "]" * 200),
]
BYTES = [b"", bytes(range(256))]
DAYS = [date.min, date.max, date(2024, 2, 29)]
# The schemas know no CHECK: validators refuse such values before.
CHECKED = {"campaigns": {"audience": "members", "status": "draft"}}


def values_for(column: sa.Column[Any]) -> list[Any]:
    match column.type:
        case sa.Integer():
            return INTEGERS
        case sa.Numeric():
            return DECIMALS
        case sa.String():
            return TEXTS
        case Instant():
            return INSTANTS
        case JSONB():
            return JSON
        case sa.LargeBinary():
            return BYTES
        case sa.Date():
            return DAYS
        case sa.ARRAY():
            return [[], [1, 2], [2**31 - 1], [2**31], [1, None], [True], ["1"]]
    return [True, False]


def smallest_row(table: sa.Table) -> dict[str, Any]:
    """The smallest row that the schema accepts."""
    return {
        column.name: NOON if isinstance(column.type, Instant) else values_for(column)[0]
        for column in table.columns
        if column.computed is None and insert_schema(table).model_fields[column.name].is_required()
    } | CHECKED.get(table.name, {})


@pytest.fixture(scope="module")
def emptied(database: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction of our own driver in which all tables are empty, and foreign keys and triggers are off."""
    engine = sa.create_engine(database.url.set(drivername=DRIVER))
    with engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("TRUNCATE " + ", ".join(every.metadata.tables))
        others.create(connection)
        yield connection
        connection.rollback()
    engine.dispose()


def store(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> dict[str, Any] | None:
    """The row as PostgreSQL stores it; None if it refuses the insert."""
    savepoint = connection.begin_nested()
    try:
        return dict(connection.execute(sa.insert(table).values(row).returning(*table.columns)).one()._mapping)
    except (sa.exc.StatementError, UnicodeEncodeError, OverflowError):
        return None
    finally:
        savepoint.rollback()


def accept(table: sa.Table, row: dict[str, Any]) -> dict[str, Any] | None:
    """The row as the schema returns it; None if it refuses the row."""
    try:
        return insert_schema(table).model_validate(row).values()
    except ValidationError:
        return None


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_value_is_accepted_if_and_only_if_the_table_stores_it_unchanged(emptied: sa.Connection, kind: str) -> None:
    column = COLUMNS[kind]
    differ = []
    for value in values_for(column):
        row = smallest_row(column.table) | {column.name: value}
        stored = store(emptied, column.table, row)
        is_stored = stored is not None and stored[column.name] == value
        if (accept(column.table, row) is not None) is not is_stored:
            differ.append((ascii(value)[:60], stored and stored[column.name]))
    assert not differ


@pytest.mark.filterwarnings("ignore:Column '(identity_key|sender_state).id' is marked:sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_column_may_be_absent_or_null_if_and_only_if_the_table_lets_it(
    emptied: sa.Connection, table: sa.Table
) -> None:
    differ = []
    for column in table.columns:
        if column.computed is not None:  # no insert may name it
            continue
        full = smallest_row(table)
        without = {name: value for name, value in full.items() if name != column.name}
        for row in (without, full | {column.name: None}):
            stored = store(emptied, table, row)
            if (accept(table, row) is None) is not (stored is None):
                differ.append((column.name, row.get(column.name, "absent")))
            if stored is not None:
                select_schema(table).model_validate(stored)
    assert not differ


def test_an_amount_of_nan_is_read_but_not_accepted_for_an_insert(emptied: sa.Connection) -> None:
    table = every.codes.bonus_codes
    row = smallest_row(table) | {"value": Decimal("NaN")}
    stored = store(emptied, table, row)
    assert stored is not None
    assert accept(table, row) is None
    assert select_schema(table).model_validate(stored).model_dump(mode="json")["value"] == "NaN"


def test_rows_and_their_mappings_can_be_read(emptied: sa.Connection) -> None:
    table = every.accounts.users
    emptied.execute(sa.insert(table).values(username="read", password="x", email="read@example.com"))
    row = emptied.execute(sa.select(table)).one()
    for given in (row, row._mapping):
        read = select_schema(table).model_validate(given).model_dump(mode="json")
        assert read["total_wager"] == "0.00"
        assert read["profile_color"] == "#D7FF00"
        assert read["created_at"].endswith("Z")
