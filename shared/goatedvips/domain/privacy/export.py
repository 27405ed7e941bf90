"""Everything about a member, for the member: row by row as the tables hold it, without secrets and without others."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, case, func, null, select
from sqlalchemy.dialects.postgresql import JSONB

from goatedvips.domain import access
from goatedvips.domain.access import Caller
from goatedvips.domain.privacy import personal_entries
from goatedvips.domain.privacy.holding import Holding
from goatedvips.domain.privacy.holdings import ACCOUNT, ARCHIVE, HOLDINGS
from goatedvips.errors import ExportTooLarge
from goatedvips.models.accounts import users

LARGEST = 4_500_000  # octets: 6 MB once they are written in base64, which is what an answer may have
BATCH = 5_000  # rows read at once

type Row = Mapping[Any, Any]

_AFTER = bindparam("after_id", type_=users.c.id.type)


def _shown(holding: Holding) -> Select[Any]:
    """A batch of what the caller is shown of a table, by id; what a row does not show is null in it."""
    columns = [
        case((holding.shown_where[column.name], column), else_=null()).label(column.name)
        if column.name in holding.shown_where
        else column
        for column in holding.table.columns
        if column.name not in holding.withheld
    ]
    more = [value.label(name) for name, value in holding.shown_too.items()]
    by_id = holding.table.c.id
    return select(*columns, *more).where(holding.theirs, by_id > _AFTER).order_by(by_id).limit(BATCH)


_caller = access.member(only_reads=True)
_account = _shown(ACCOUNT).join(_caller, _caller.c.id == users.c.id)
_others = [(holding, _shown(holding)) for holding in HOLDINGS if holding not in (ACCOUNT, ARCHIVE)]
_marked = (
    select(func.jsonb_agg(personal_entries.EACH.c.value, type_=JSONB))
    .where(personal_entries.IS_MARKED)
    .correlate(ARCHIVE.table)
    .scalar_subquery()
)
_archived = _shown(ARCHIVE).add_columns(_marked.label("entries")).where(personal_entries.HAS_THE_MARK)


def everything(connection: Connection, caller: Caller, *, now: datetime) -> Iterator[tuple[Table, Sequence[Row]]]:
    """The rows of the caller's, table by table, their own first; a large table comes in several parts.

    Raises
    ------
    Unauthenticated, AccountSuspended
    """
    parameters = caller.parameters(now)
    account = connection.execute(_account, parameters | {"after_id": 0}).mappings().all()
    if not account:
        access.explain(connection, caller, now=now)
    yield ACCOUNT.table, account
    for holding, statement in _others:
        for rows in _batches(connection, statement, parameters):
            yield holding.table, [_without_what_is_not_shown(holding, row) for row in rows]
    person = personal_entries.person(connection, caller.user_id)
    for rows in _batches(connection, _archived, {"mark": person.mark}):
        found = [{**row, "entries": [*personal_entries.entries(person, row["entries"])]} for row in rows]
        yield ARCHIVE.table, [row for row in found if row["entries"]]


def _batches(connection: Connection, statement: Select[Any], parameters: Row) -> Iterator[Sequence[Row]]:
    after, full = 0, True
    while full:
        rows = connection.execute(statement, {**parameters, "after_id": after}).mappings().all()
        yield rows
        full = len(rows) == BATCH
        after = rows[-1]["id"] if rows else after


def _without_what_is_not_shown(holding: Holding, row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None or name not in holding.shown_where}


def packed(document: Iterable[bytes]) -> bytes:
    """A document as gzip, part by part, so that no more of it is held than an answer may have.

    Raises
    ------
    ExportTooLarge
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
