"""The schema of a release that does not exist yet: what migrations may do to a database that functions still use."""

from sqlalchemy import text

from goatedvips.models.every import metadata
from goatedvips.models.schema import REVISION
from migrations.upgrade import engine

LATER = "a_later_release"


def migrate(url: str) -> None:
    """Add to every table a nullable and a defaulted column, a check, an index, and a new table.

    Parameters
    ----------
    url: of a database at the newest revision, as its owner.
    """
    with engine(url).begin() as connection:
        for table in metadata.tables:
            for statement in (
                f"ALTER TABLE {table} ADD COLUMN later_note text, ADD COLUMN later_count integer NOT NULL DEFAULT 7",
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_later_check CHECK (later_count > 0) NOT VALID",
                f"CREATE INDEX {table}_later_idx ON {table} (later_count)",
            ):
                connection.execute(text(statement))
        connection.execute(text("CREATE TABLE later_things (id serial PRIMARY KEY, user_id integer REFERENCES users)"))
        connection.execute(text("UPDATE alembic_version SET version_num = :later"), {"later": LATER})
        connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{LATER} {REVISION}'"))
