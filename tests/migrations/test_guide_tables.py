"""The first migration makes what Drizzle makes of the guide: the same dump, to the letter."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from migrations.upgrade import engine
from tests.support.databases import GUIDE_SQL, dump, statements_of
from tests.support.legacy.application import push

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def test_the_first_migration_makes_the_guides_schema(url: str) -> None:
    """Compare with the dump that drizzle-kit's tables gave."""
    with engine(url).connect() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "guide_tables")

    assert dump(url) == statements_of(GUIDE_SQL)


@pytest.mark.xdist_group("node")
def test_the_kept_dump_is_what_drizzle_makes(url: str, packages: Path) -> None:
    """Push the guide's own schema with drizzle-kit, now, and compare the kept dump with that."""
    push(packages, url)

    assert statements_of(GUIDE_SQL) == dump(url)
