"""The one MetaData that every table belongs to, and the type of its instants."""

from datetime import UTC, datetime
from typing import override

from sqlalchemy import Constraint, DateTime, Dialect, ForeignKeyConstraint, MetaData, Table, TypeDecorator


def _referent(key: Constraint, _: Table) -> str:
    """Name what a foreign key points to, read from its text: who needs one domain's tables imports no other's."""
    if not isinstance(key, ForeignKeyConstraint):
        raise TypeError(f"only foreign keys point anywhere, not {key!r}")
    return key.elements[0].target_fullname.replace(".", "_")


# The newest migration: what this code expects the database to be at; a test holds the two together.
REVISION = "turns_of_the_outbox"

# The guide's application deletes its rows as before: what is ours and hangs on them goes along, or lets go of them.
# Only the ledger of rewards and the audit log hold on to their members.
#
# The names that Drizzle gives: on a database it made, ours and its constraints are then the same ones.
metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "referent": _referent,
        "fk": "%(table_name)s_%(column_0_N_name)s_%(referent)s_fk",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime in Python, kept as `timestamp without time zone` in UTC, as the guide's tables have it.

    Raises
    ------
    ValueError: a naive datetime was given. Which instant it means would depend on who wrote it.
    """

    impl = DateTime
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive datetimes and send the others as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"an instant needs a time zone: {value.isoformat()}"
            raise ValueError(msg)
        return value.astimezone(UTC).replace(tzinfo=None)

    @override
    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        """Say what the database leaves out: that the stored time is UTC.

        What no calendar of ours holds, such as an adopted `infinity`, comes as text, and is answered as its nearest.
        """
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.min if value.startswith("-") or value.endswith("BC") else datetime.max  # noqa: DTZ901
        return value.replace(tzinfo=UTC)
