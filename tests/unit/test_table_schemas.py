"""The schemas of rows: each rule, and that every column of every table has a rule."""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.models import every
from goatedvips.models.schema import Instant
from goatedvips.validators.tables import insert_schema, select_schema

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TABLES = every.metadata.sorted_tables
# A value that every column of the type accepts.
GIVEN: dict[type, object] = {
    bool: True,
    int: 1,
    str: "text",
    Decimal: Decimal("1.25"),
    datetime: NOON,
    date: date(2026, 5, 1),
    time: time(22, 30),
    bytes: b"\x00\xff",
    list: [1, -1],
    object: {"a": [1, None]},  # JSON
}

sample = sa.Table(
    "some_samples",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("given", sa.Text, nullable=False),
    sa.Column("absent", sa.Text),
    sa.Column("defaulted", sa.Text, nullable=False, server_default="x"),
    sa.Column("nullable_default", sa.Text, server_default="x"),
    sa.Column("short", sa.String(3)),
    sa.Column("small", sa.SmallInteger),
    sa.Column("plain", sa.Integer),
    sa.Column("big", sa.BigInteger),
    sa.Column("flag", sa.Boolean),
    sa.Column("cents", sa.Numeric(5, 2)),
    sa.Column("at", Instant),
    sa.Column("day", sa.Date),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("anything", JSONB),
)


def written(**columns: object) -> dict[str, Any]:
    return insert_schema(sample).model_validate({"given": "x"} | columns).values()


def kind_of(column: sa.Column[Any]) -> object:
    return GIVEN[datetime if isinstance(column.type, Instant) else column.type.python_type]


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_full_row_of_every_table_is_accepted_and_read_as_json(table: sa.Table) -> None:
    row = {column.name: kind_of(column) for column in table.columns}
    given = {name: value for name, value in row.items() if table.c[name].computed is None}
    assert insert_schema(table).model_validate(given).values() == given
    read = select_schema(table).model_validate(row).model_dump(mode="json")
    assert read.keys() == row.keys()
    assert json.loads(json.dumps(read, allow_nan=False)) == read


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_only_columns_that_are_neither_nullable_nor_have_a_default_are_required(table: sa.Table) -> None:
    required = {
        column.name
        for column in table.columns
        if not column.nullable and column.server_default is None and column.name != "id"
    } | ({"id"} if table.name in {"identity_key", "sender_state"} else set())
    schema = insert_schema(table)
    assert {name for name, field in schema.model_fields.items() if field.is_required()} == required
    row = {name: kind_of(table.columns[name]) for name in required}
    assert schema.model_validate(row).values() == row
    for name in required:
        with pytest.raises(ValidationError) as refused:
            schema.model_validate({key: value for key, value in row.items() if key != name})
        assert [error["loc"] for error in refused.value.errors()] == [(name,)]


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_null_is_accepted_where_the_column_is_nullable(table: sa.Table) -> None:
    row = {column.name: kind_of(column) for column in table.columns}
    given = {name: value for name, value in row.items() if table.c[name].computed is None}
    for schema, values in ((insert_schema(table), given), (select_schema(table), row)):
        for name in values:
            if table.c[name].nullable or isinstance(table.c[name].type, JSONB):  # whose null is a value
                schema.model_validate(values | {name: None})
            else:
                with pytest.raises(ValidationError, match=name):
                    schema.model_validate(values | {name: None})


def test_schemas_are_made_once_and_named_after_their_table() -> None:
    assert insert_schema(every.accounts.users) is insert_schema(every.accounts.users)
    assert insert_schema(every.races.wager_races).__name__ == "InsertWagerRaces"
    assert select_schema(sample).__name__ == "SelectSomeSamples"


def test_a_column_that_was_not_given_is_not_inserted() -> None:
    assert written() == {"given": "x"}
    assert written(absent=None, nullable_default=None) == {"given": "x", "absent": None, "nullable_default": None}


def test_a_column_that_the_table_lacks_is_refused() -> None:
    with pytest.raises(ValidationError, match="misspelt"):
        written(misspelt=1)


DEEP: Any = 1
for _ in range(100):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("given", ""),
        ("given", "e\u0301 \U0001f410 \uffff"),  # not normalised, because it is compared with adopted rows
        ("short", "\U0001f410" * 3),
        ("small", -(2**15)),
        ("small", 2**15 - 1),
        ("plain", -(2**31)),
        ("plain", 2**31 - 1),
        ("big", -(2**63)),
        ("big", 2**63 - 1),
        ("flag", False),
        ("cents", Decimal("999.99")),
        ("cents", Decimal("-999.99")),
        ("cents", Decimal("0.01")),
        ("cents", Decimal("1.500")),
        ("cents", Decimal("1E+2")),
        ("at", datetime.min.replace(tzinfo=UTC)),
        ("at", datetime.max.replace(tzinfo=UTC)),
        ("at", datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC)),
        ("day", date.min),
        ("raw", bytes(range(256))),
        ("raw", b""),
        ("anything", None),
        ("anything", {"": [True, 1.5, -(10**40), "\u2028", {}]}),
        ("anything", DEEP),
    ],
)
def test_a_valid_value_is_accepted_unchanged(column: str, value: object) -> None:
    stored = written(**{column: value})[column]
    assert stored == value
    assert type(stored) is type(value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("given", None),
        ("given", 1),
        ("given", b"x"),
        ("given", "a\x00"),
        ("given", "\ud800"),
        ("defaulted", None),
        ("short", "long"),
        ("small", 2**15),
        ("small", -(2**15) - 1),
        ("plain", 2**31),
        ("plain", -(2**31) - 1),
        ("big", 2**63),
        ("big", -(2**63) - 1),
        ("plain", True),
        ("plain", 1.0),
        ("plain", "1"),
        ("plain", Decimal(1)),
        ("flag", 1),
        ("flag", "true"),
        ("cents", 1.5),
        ("cents", 1),
        ("cents", "1.50"),
        ("cents", True),
        ("cents", Decimal("0.001")),
        ("cents", Decimal(1000)),
        ("cents", Decimal("999.995")),
        ("cents", Decimal("1E+3")),
        ("cents", Decimal("NaN")),
        ("cents", Decimal("Infinity")),
        ("at", datetime(2026, 5, 1)),  # noqa: DTZ001
        ("at", date(2026, 5, 1)),
        ("at", "2026-05-01T12:00:00Z"),
        ("at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
        ("day", NOON),
        ("day", "2026-05-01"),
        ("raw", "x"),
        ("raw", bytearray(b"x")),
        ("anything", "a\x00"),
        ("anything", {"a\x00": 1}),
        ("anything", [{"a": "\udfff"}]),
        ("anything", {"\ud800": 1}),
        ("anything", [float("nan")]),
        ("anything", {"a": float("-inf")}),
        ("anything", {1: 2}),
        ("anything", (1, 2)),
        ("anything", Decimal(1)),
        ("anything", NOON),
    ],
)
def test_an_invalid_value_is_refused_and_not_repeated_in_the_message(column: str, value: object) -> None:
    with pytest.raises(ValidationError, match=column) as refused:
        written(**{column: value})
    assert "input_value" not in str(refused.value)


def test_an_instant_of_any_zone_is_written_in_utc() -> None:
    at = written(at=NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))["at"]
    assert at == NOON
    assert at.tzinfo is UTC


def test_odd_adopted_values_are_read_and_written_in_the_formats_of_the_api() -> None:
    row = dict.fromkeys(sample.columns.keys()) | {
        "id": -1,
        "given": "",
        "defaulted": "x",
        "cents": Decimal("NaN"),
        "at": datetime.max.replace(tzinfo=UTC),  # how Instant reads infinity
        "day": "infinity",
        "raw": b"\x00\xff",
        "anything": {"deep": DEEP, "number": 10**40},
    }
    read = select_schema(sample).model_validate(row).model_dump(mode="json")
    assert read | {"anything": None} == row | {
        "cents": "NaN",
        "at": "9999-12-31T23:59:59.999999Z",
        "raw": "00ff",
        "anything": None,
    }
    assert read["anything"] == row["anything"]


@pytest.mark.parametrize(
    ("amount", "shown"), [("1.5", "1.50"), ("0.00000001", "0.00000001"), ("1E+2", "100.00"), ("0E-8", "0.00")]
)
def test_money_is_read_as_a_decimal_string(amount: str, shown: str) -> None:
    row = dict.fromkeys(sample.columns.keys()) | {"id": 1, "given": "", "defaulted": "", "cents": Decimal(amount)}
    assert select_schema(sample).model_validate(row).model_dump(mode="json")["cents"] == shown


def test_a_row_that_lacks_a_column_is_not_read() -> None:
    with pytest.raises(ValidationError, match="cents"):
        select_schema(sample).model_validate({"id": 1})


def test_a_type_without_a_rule_is_refused() -> None:
    table = sa.Table("odd", sa.MetaData(), sa.Column("span", sa.Interval))
    with pytest.raises(TypeError, match="Interval"):
        insert_schema(table)
