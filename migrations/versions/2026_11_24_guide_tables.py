"""The ten tables of the guide, exactly as Drizzle makes them.

On a database that the legacy application filled they are there already: then this step looks them over and creates
nothing. It stands on its own, because the models move on and a step that has run must not.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from collections.abc import Iterator

from alembic import op
from alembic.util import CommandError
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Inspector,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    inspect,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "guide_tables"
down_revision = None

GUIDE = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "fk": "%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s_%(referred_column_0_N_name)s_fk",
    }
)

Table(
    "users",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("is_admin", Boolean, nullable=False, server_default=text("false")),
    Column("email_verified", Boolean, server_default=text("false")),
    Column("bio", Text),
    Column("profile_color", Text, server_default="#D7FF00"),
    Column("created_at", DateTime, nullable=False, server_default=func.now()),
    Column("last_active", DateTime),
    Column("is_active", Boolean, nullable=False, server_default=text("false")),
    Column("uid", Text, unique=True),
    Column("total_wager", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("wager_today", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("wager_week", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("wager_month", Numeric(18, 8), nullable=False, server_default=text("'0'")),
    Column("verified", Boolean, nullable=False, server_default=text("false")),
)

Table(
    "wheel_spins",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("segment_index", Integer, nullable=False),
    Column("reward_code", Text),
    Column("timestamp", DateTime, nullable=False, server_default=func.now()),
)

Table(
    "bonus_codes",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("claimed_at", DateTime, nullable=False, server_default=func.now()),
    Column("expires_at", DateTime, nullable=False),
    Column("is_used", Boolean, nullable=False, server_default=text("false")),
)

Table(
    "wager_races",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("title", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("prize_pool", Numeric(18, 2), nullable=False),
    Column("start_date", DateTime, nullable=False),
    Column("end_date", DateTime, nullable=False),
    Column("min_wager", Numeric(18, 2), nullable=False),
    Column("prize_distribution", JSONB, nullable=False),
    Column("created_at", DateTime, nullable=False, server_default=func.now()),
    Column("updated_at", DateTime, nullable=False, server_default=func.now()),
    Column("rules", Text),
    Column("description", Text),
)

Table(
    "wager_race_participants",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("race_id", Integer, ForeignKey("wager_races.id")),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("total_wager", Numeric(18, 2), nullable=False),
    Column("rank", Integer),
    Column("joined_at", DateTime, nullable=False, server_default=func.now()),
    Column("updated_at", DateTime, nullable=False, server_default=func.now()),
    Column("wager_history", JSONB),
)

Table(
    "historical_races",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("month", Text, nullable=False),
    Column("year", Text, nullable=False),
    Column("prize_pool", Numeric(10, 2), nullable=False),
    Column("start_date", DateTime, nullable=False),
    Column("end_date", DateTime, nullable=False),
    Column("participants", JSONB, nullable=False),
    Column("total_wagered", Numeric(18, 2), nullable=False),
    Column("participant_count", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="completed"),
    Column("created_at", DateTime, nullable=False, server_default=func.now()),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
)

Table(
    "support_tickets",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("subject", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("priority", Text, nullable=False, server_default="medium"),
    Column("created_at", DateTime, nullable=False, server_default=func.now()),
    Column("updated_at", DateTime, nullable=False, server_default=func.now()),
)

Table(
    "ticket_messages",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", Integer, ForeignKey("support_tickets.id")),
    Column("user_id", Integer, ForeignKey("users.id")),
    Column("message", Text, nullable=False),
    Column("created_at", DateTime, nullable=False, server_default=func.now()),
    Column("is_staff_reply", Boolean, nullable=False, server_default=text("false")),
)

Table(
    "newsletter_subscriptions",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("is_subscribed", Boolean, nullable=False, server_default=text("true")),
    Column("subscribed_at", DateTime, nullable=False, server_default=func.now()),
    Column("unsubscribed_at", DateTime),
    Column("source", Text),
)

Table(
    "notification_preferences",
    GUIDE,
    Column("id", Integer, primary_key=True),
    Column("wager_race_updates", Boolean, nullable=False, server_default=text("true")),
    Column("vip_status_changes", Boolean, nullable=False, server_default=text("true")),
    Column("promotional_offers", Boolean, nullable=False, server_default=text("true")),
    Column("monthly_statements", Boolean, nullable=False, server_default=text("true")),
    Column("email_notifications", Boolean, nullable=False, server_default=text("true")),
    Column("push_notifications", Boolean, nullable=False, server_default=text("true")),
    Column("updated_at", DateTime, nullable=False, server_default=func.now()),
)


def upgrade() -> None:
    """Create the tables, or adopt those that are there.

    Raises
    ------
    CommandError: some of the guide is there and some is not. Nothing was changed.
    """
    connection = op.get_bind()
    inspector = inspect(connection)
    if GUIDE.tables.keys().isdisjoint(inspector.get_table_names()):
        GUIDE.create_all(connection)
        return
    gaps = list(gaps_in(inspector))
    if gaps:
        message = f"this database is not quite the guide's, and was left as it is: {'; '.join(gaps)}"
        raise CommandError(message)


def gaps_in(inspector: Inspector) -> Iterator[str]:
    """Name each thing of the guide's that the tables lack. What they have besides is no concern of ours."""
    present = inspector.get_table_names()
    for table in GUIDE.sorted_tables:
        if table.name not in present:
            yield f"table {table.name} is missing"
            continue
        yield from gaps_in_columns(table, inspector)
        yield from gaps_in_keys(table, inspector)


def gaps_in_columns(table: Table, inspector: Inspector) -> Iterator[str]:
    """Name the columns that are missing, or of another kind than later steps and the functions rely on."""
    found = {column["name"]: column for column in inspector.get_columns(table.name)}
    for column in table.columns:
        if column.name not in found:
            yield f"column {column} is missing"
            continue
        there = found[column.name]
        expected, actual = (kind.compile(inspector.dialect) for kind in (column.type, there["type"]))
        if actual != expected:
            yield f"column {column} is {actual}, not {expected}"
        if there["nullable"] and not column.nullable:
            yield f"column {column} lacks NOT NULL"
        has_value = there["default"] is not None or "identity" in there
        if not has_value and (column.server_default is not None or column.primary_key):
            yield f"column {column} lacks its default"


def gaps_in_keys(table: Table, inspector: Inspector) -> Iterator[str]:
    """Name the keys that are missing, by their columns: other tools than Drizzle give them other names."""
    found = {
        tuple(index["column_names"])
        for index in inspector.get_indexes(table.name)
        if index["unique"] and "postgresql_where" not in index.get("dialect_options", {})
    }
    found.add(tuple(inspector.get_pk_constraint(table.name)["constrained_columns"]))
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            columns = tuple(constraint.columns.keys())
            if columns not in found:
                yield f"{table.name} lacks its unique key ({', '.join(columns)})"
