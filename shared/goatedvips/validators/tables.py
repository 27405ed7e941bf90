"""Schemas of rows, derived from the tables: for rows to be inserted, and for rows that were read.

They correspond to `createInsertSchema` and `createSelectSchema` of Drizzle-Zod, which the legacy application uses.
"""

from datetime import date
from functools import cache
from math import isfinite
from operator import or_
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    Strict,
    create_model,
)
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Time,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from goatedvips.models.schema import Instant
from goatedvips.validators.fields import AS_TYPED, IN_UTC, Money, storable

_BITS = {SmallInteger: 16, Integer: 32, BigInteger: 64}


class InsertedRow(BaseModel):
    """A row to be inserted. A column that the table does not have is refused, so a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def values(self) -> dict[str, Any]:
        """The columns that were given. The database fills the others with their defaults."""
        return self.model_dump(exclude_unset=True)


class SelectedRow(BaseModel):
    """A row that was read. `model_dump(mode="json")` writes it in the formats of the API, and bytes in hex."""

    model_config = ConfigDict(from_attributes=True, frozen=True, hide_input_in_errors=True)


@cache
def insert_schema(table: Table) -> type[InsertedRow]:
    """The schema of a row to be inserted.

    A column with a default may be absent; a nullable column may be absent or null. A value is accepted only if the
    table stores it unchanged: PostgreSQL itself would round a decimal to the scale of its column, and accept a NaN. A
    JSON column accepts null, because null is a JSON value. The database computes generated columns.
    """
    fields = {
        column.name: (_nullable(column, _insert_type(column.type)), None if _may_be_absent(column) else ...)
        for column in table.columns
        if column.computed is None
    }
    return _schema(InsertedRow, "Insert", table, fields)


@cache
def select_schema(table: Table) -> type[SelectedRow]:
    """The schema of a row that was read: every column, also with odd adopted values, such as an amount of NaN."""
    fields = {column.name: (_nullable(column, _select_type(column.type)), ...) for column in table.columns}
    return _schema(SelectedRow, "Select", table, fields)


def _schema[Row: BaseModel](base: type[Row], prefix: str, table: Table, fields: dict[str, Any]) -> type[Row]:
    name = prefix + table.name.title().replace("_", "")
    return create_model(name, __base__=base, __doc__=f"A row of {table.name}.", **fields)


def _may_be_absent(column: Column[Any]) -> bool:
    is_numbered = column is column.table.autoincrement_column
    return column.nullable is True or column.server_default is not None or is_numbered


def _nullable(column: Column[Any], kind: object) -> object:
    return or_(kind, None) if column.nullable else kind


def _select_type(kind: TypeEngine[Any]) -> object:
    match kind:
        case Numeric():
            return Money
        case JSONB():
            return Any
        case Date():
            return or_(date, str)  # text, for a date that Python cannot represent: infinity, years BC
        case LargeBinary():
            return Annotated[bytes, PlainSerializer(bytes.hex)]
        case _:
            return _insert_type(kind)


def _insert_type(kind: TypeEngine[Any]) -> object:
    match kind:
        case JSONB():
            return Annotated[JsonValue, AfterValidator(_storable_json)]
        case Instant():
            return Annotated[AwareDatetime, Strict(), IN_UTC]
        case Integer():
            bound = 2 ** (_BITS[type(kind)] - 1)
            rules: list[object] = [Field(ge=-bound, lt=bound)]
        case Numeric():
            rules = [Field(max_digits=kind.precision, decimal_places=kind.scale, allow_inf_nan=False)]
        case String():
            rules = [Field(max_length=kind.length), AS_TYPED]
        case ARRAY():
            return Annotated[list[_insert_type(kind.item_type) | None], Strict()]  # type: ignore[misc, operator]
        case Boolean() | Date() | LargeBinary() | Time():
            rules = []
        case _:
            raise TypeError(f"no rule for columns of {kind!r}")
    return Annotated[kind.python_type, Strict(), *rules]


def _storable_json(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            for key, part in value.items():
                storable(key)
                _storable_json(part)
        case list():
            for part in value:
                _storable_json(part)
        case float() if not isfinite(value):
            raise ValueError("must not contain NaN or an infinity, which JSON lacks")
        case _:
            storable(value)
    return value
