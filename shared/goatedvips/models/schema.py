"""The MetaData of all tables, and the type of their instants."""

from datetime import UTC, datetime
from typing import override

from sqlalchemy import Constraint, DateTime, Dialect, ForeignKeyConstraint, MetaData, Table, TypeDecorator

from goatedvips.postgres_values import nearest_instant


def _referent(key: Constraint, _: Table) -> str:
    """The table and column that a foreign key refers to, from its text, so that no other domain's model is imported."""
    if not isinstance(key, ForeignKeyConstraint):
        raise TypeError(f"{key!r} is not a foreign key")
    return key.elements[0].target_fullname.replace(".", "_")


# The revision that the database must have for this code. A test checks that it is the newest migration.
REVISION = "unread_members"

# The legacy application can delete its rows as before. Foreign keys of our tables to them have ON DELETE CASCADE or SET
# NULL. Only the ledger of rewards, its grants and payouts, and the audit log prevent that a member
# is deleted.
#
# The naming convention is Drizzle's, so that adopted and new databases have constraints of the same names.
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
    """An aware UTC datetime in Python, stored as `timestamp without time zone` in UTC, as in the legacy application.

    Raises
    ------
    ValueError: the datetime is naive, so it does not say which instant it means.
    """

    impl = DateTime
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert an aware datetime to UTC; refuse a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"an instant needs a time zone: {value.isoformat()}"
            raise ValueError(msg)
        return value.astimezone(UTC).replace(tzinfo=None)

    @override
    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        """Mark the stored time as UTC.

        The driver returns a time that Python cannot represent, such as an adopted `infinity`, as text. It becomes the
        nearest datetime.
        """
        if value is None:
            return None
        return nearest_instant(value) if isinstance(value, str) else value.replace(tzinfo=UTC)
