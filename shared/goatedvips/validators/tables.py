"""Rows as schemas that are derived from the tables: what may be inserted, and what is read back.

They are here what Drizzle-Zod's `createInsertSchema` and `createSelectSchema` are to the guide's application.
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
from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, LargeBinary, Numeric, SmallInteger, String, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from goatedvips.models.schema import Instant
from goatedvips.validators.fields import AS_TYPED, IN_UTC, Money, storable

_BITS = {SmallInteger: 16, Integer: 32, BigInteger: 64}


class InsertedRow(BaseModel):
    """A row to be written. A column that the table lacks is refused; zod drops it, and with it what was misspelt."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def values(self) -> dict[str, Any]:
        """The columns that were given; the database's defaults see to the others."""
        return self.model_dump(exclude_unset=True)


class SelectedRow(BaseModel):
    """A row as it was read. `model_dump(mode="json")` writes it as the API does, and bytes in hex."""

    model_config = ConfigDict(from_attributes=True, frozen=True, hide_input_in_errors=True)


@cache
def insert_schema(table: Table) -> type[InsertedRow]:
    """What may be inserted: what has a default may be absent, what is nullable may be absent or null.

    A value is taken as it is or not at all, so that what is read back equals it: PostgreSQL itself would round
    decimals, and take a NaN.  Null is a JSON value like any other.
    """
    fields = {
        column.name: (_nullable(column, _written(column.type)), None if _may_be_absent(column) else ...)
        for column in table.columns
    }
    return _schema(InsertedRow, "Insert", table, fields)


@cache
def select_schema(table: Table) -> type[SelectedRow]:
    """What is read: every column, with the odd values of adopted rows, such as an amount that is NaN."""
    fields = {column.name: (_nullable(column, _read(column.type)), ...) for column in table.columns}
    return _schema(SelectedRow, "Select", table, fields)


def _schema[Row: BaseModel](base: type[Row], prefix: str, table: Table, fields: dict[str, Any]) -> type[Row]:
    name = prefix + table.name.title().replace("_", "")
    return create_model(name, __base__=base, __doc__=f"A row of {table.name}.", **fields)


def _may_be_absent(column: Column[Any]) -> bool:
    is_numbered = column is column.table.autoincrement_column
    return column.nullable is True or column.server_default is not None or is_numbered


def _nullable(column: Column[Any], kind: object) -> object:
    return or_(kind, None) if column.nullable else kind


def _read(kind: TypeEngine[Any]) -> object:
    match kind:
        case Numeric():
            return Money
        case JSONB():
            return Any
        case Date():
            return or_(date, str)  # as text, what Python has no day for: infinity, years BC
        case LargeBinary():
            return Annotated[bytes, PlainSerializer(bytes.hex)]
        case _:
            return _written(kind)


def _written(kind: TypeEngine[Any]) -> object:
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
        case Boolean() | Date() | LargeBinary():
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
