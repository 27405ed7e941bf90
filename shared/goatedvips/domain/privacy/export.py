"""Export: all personal data of a member, table by table, without secrets and without other people's data."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, bindparam, case, func, null, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import access
from goatedvips.domain.access import Caller
from goatedvips.domain.privacy import personal_entries
from goatedvips.domain.privacy.holdings import ACCOUNT, ARCHIVE, HOLDINGS
from goatedvips.domain.privacy.personal_data import PersonalData
from goatedvips.errors import ExportTooLarge
from goatedvips.models.accounts import users
from goatedvips.models.schema import Instant

LARGEST = 4_500_000  # octets: 6 MB in base64, the largest answer that Lambda returns
BATCH = 5_000  # rows that one statement reads

type Row = Mapping[Any, Any]

FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)


def _key(table: Table) -> Column[Any]:
    """The column that orders the rows of a member: the id, or the rest of the key of a table that has one a member."""
    *_, key = table.primary_key
    return key


def _select_exported(holding: PersonalData) -> Select[Any]:
    """Build the statement that reads a batch of a table for the export, in the order of its key.

    A column whose `exported_if` does not hold is null.
    """
    columns = [
        case((holding.exported_if[column.name], column), else_=null()).label(column.name)
        if column.name in holding.exported_if
        else column
        for column in holding.table.columns
        if column.name not in holding.never_exported
    ]
    computed = [value.label(name) for name, value in holding.also_exported.items()]
    key = _key(holding.table)
    after = bindparam("after", type_=key.type)
    return select(*columns, *computed).where(holding.rows, key > after).order_by(key).limit(BATCH)


_caller = access.member(only_reads=True)
_select_account = _select_exported(ACCOUNT).join(_caller, _caller.c.id == users.c.id)
_select_others = [(holding, _select_exported(holding)) for holding in HOLDINGS if holding not in (ACCOUNT, ARCHIVE)]
_matching_entries = (
    select(func.jsonb_agg(personal_entries.ENTRIES.c.value, type_=JSONB))
    .where(personal_entries.ENTRY_MATCHES)
    .correlate(ARCHIVE.table)
    .scalar_subquery()
)
_select_archive = (
    _select_exported(ARCHIVE).add_columns(_matching_entries.label("entries")).where(personal_entries.RACE_MATCHES)
)


def everything(connection: Connection, caller: Caller, *, now: datetime) -> Iterator[tuple[Table, Sequence[Row]]]:
    """Yield the caller's rows, table by table, their row of `users` first; a large table comes in several parts.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now)
    account = connection.execute(_select_account, parameters | {"after": 0}).mappings().all()
    if not account:
        access.explain(connection, caller, now=now)
    yield ACCOUNT.table, account
    for holding, statement in _select_others:
        for rows in _batches(connection, holding.table, statement, parameters):
            yield holding.table, [_without_hidden(holding, row) for row in rows]
    person = personal_entries.read_person(connection, caller.user_id)
    for rows in _batches(connection, ARCHIVE.table, _select_archive, {"pattern": person.pattern}):
        found = [{**row, "entries": [*personal_entries.find_entries(person, row["entries"])]} for row in rows]
        yield ARCHIVE.table, [row for row in found if row["entries"]]


def _batches(connection: Connection, table: Table, statement: Select[Any], parameters: Row) -> Iterator[Sequence[Row]]:
    key = _key(table)
    after, full = FIRST_INSTANT if isinstance(key.type, Instant) else 0, True
    while full:
        rows = connection.execute(statement, {**parameters, "after": after}).mappings().all()
        yield rows
        full = len(rows) == BATCH
        after = rows[-1][key.name] if rows else after


def _without_hidden(holding: PersonalData, row: Row) -> Row:
    """Drop the columns that `exported_if` made null."""
    return {name: value for name, value in row.items() if value is not None or name not in holding.exported_if}


def pack(document: Iterable[bytes]) -> bytes:
    """Compress a document with gzip, part by part; memory use is bounded by the largest answer.

    Raises
    ------
    ExportTooLarge: it does not fit into one answer.
    """
    packer = zlib.compressobj(wbits=31)  # with gzip's header
    packed = bytearray()
    for part in document:
        packed += packer.compress(part)
        if len(packed) > LARGEST:
            break
    packed += packer.flush()
    if len(packed) > LARGEST:
        raise ExportTooLarge
    return bytes(packed)
