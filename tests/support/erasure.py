"""What tests of export and erasure share."""

import secrets
from typing import Any

import sqlalchemy as sa

from goatedvips.models.every import (
    metadata,
    races,
)
from tests.support.credentials import network_address
from tests.support.functions import Answer, Functions
from tests.support.lives import NOON, PASSWORD
from tests.support.members import Member


def erase(functions: Functions, member: Member, *, password: str = PASSWORD, **changes: Any) -> Answer:
    """Call erase_me with the member's password, from a network address of its own."""
    return functions.call("erase_me", by=member, body={"password": password}, address=network_address(), **changes)


def register(functions: Functions, **form: str) -> Answer:
    """Register with random names and the given fields, from a network address of its own."""
    given = {"username": f"kid-{secrets.token_hex(6)}", "email": f"{secrets.token_hex(8)}@example.com"}
    return functions.call("register", body=given | {"password": PASSWORD} | form, address=network_address())


def everything(database: sa.Engine) -> dict[tuple[sa.Table, Any], str]:
    """Return every row of every table, by the first column of its primary key, as text."""
    with database.connect() as connection:
        return {
            (table, row.key): row.written
            for table in metadata.tables.values()
            for row in connection.execute(
                sa.select(
                    *(key.label("key") for key in [*table.primary_key][:1]),
                    sa.func.to_jsonb(table.table_valued()).cast(sa.Text).label("written"),
                )
            )
        }


def row(database: sa.Engine, table: sa.Table, row_id: int) -> Any:
    """Return a row by its id."""
    with database.connect() as connection:
        return connection.execute(sa.select(table).where(table.c.id == row_id)).one()


def archive(database: sa.Engine, participants: object) -> int:
    """Insert an archived race and return its id."""
    race = {"month": "May", "year": "2020", "prize_pool": 1, "total_wagered": 1, "participant_count": "1"}
    made = sa.insert(races.historical_races).values(**race, participants=participants, start_date=NOON, end_date=NOON)
    with database.connect() as connection:
        return int(connection.execute(made.returning(races.historical_races.c.id)).scalar_one())
