"""The first migration makes what Drizzle makes of the guide: the same dump, to the letter."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from database.checks.schema import guide
from migrations.upgrade import engine, upgrade
from tests.support.databases import GUIDE_SQL, dump, statements_of
from tests.support.legacy.application import LegacyApplication, pull, push

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


@pytest.mark.xdist_group("node")
def test_drizzle_kit_pulls_a_schema_of_the_ten_tables_that_loads_and_serves(
    url: str, packages: Path, tmp_path: Path
) -> None:
    """As docs/adopting.md describes it, from an upgraded database."""
    upgrade(url)
    schema = pull(packages, tmp_path / "ten", url, [*guide().tables]).read_text()
    tables = re.findall(r"export const (\w+) = pgTable\(", schema)
    keys = re.findall(r"\tforeignKey\(\{.*?\}\)[^\n]*,\n", schema, re.DOTALL)
    others = [key for key in keys if re.findall(r"foreignColumns: \[(\w+)\.", key)[0] not in {*tables, "table"}]
    assert others
    for key in others:
        schema = schema.replace(key, "")
    (packages / "pulled.mjs").write_text(schema)  # it has no types: Node takes it as it is
    with LegacyApplication(packages, url, "pulled.mjs") as application:
        assert sorted(application.run("tables.map((table) => getTableName(table))")) == sorted(guide().tables)
        assert application.run("Promise.all(tables.map((table) => db.select().from(table)))") == [[]] * 10
        made = 'db.insert(users).values({username: "Goat", password: "x", email: "goat@example.com"}).returning()'
        (goat,) = application.run(made)
        assert (goat["usernameKey"], goat["isShell"]) == (None, False)  # the key comes by a trigger, a moment later
        assert application.run("db.select({key: users.usernameKey}).from(users)") == [{"key": "goat"}]


STATUSES = ("draft", "scheduled", "sending", "paused", "sent", "cancelled")


@pytest.mark.xdist_group("node")
def test_drizzle_kit_pulls_a_schema_of_all_tables_that_does_not_load(url: str, packages: Path, tmp_path: Path) -> None:
    """For columns of the type bytea only: the checks of the platform's tables are written whole."""
    upgrade(url)
    schema = pull(packages, tmp_path / "all", url)
    assert set(re.findall(r"check\(\"(\w+)\", sql`(.*?)`\)", schema.read_text())) == {
        ("identity_key_one_row", "id IS TRUE"),
        ("sender_state_one_row", "id = 1"),
        ("campaigns_audience_check", "audience = ANY (ARRAY['newsletter'::text, 'members'::text])"),
        ("campaigns_scheduled_check", "(status <> 'scheduled'::text) OR (send_at IS NOT NULL)"),
        ("campaigns_status_check", f"status = ANY (ARRAY[{', '.join(f"'{status}'::text" for status in STATUSES)}])"),
    }
    shutil.copy(schema, packages / "pulled_all.mjs")
    loaded = subprocess.run(
        ["node", "pulled_all.mjs"], cwd=packages, capture_output=True, text=True, check=False, timeout=60
    )
    assert "ReferenceError: unknown is not defined" in loaded.stderr
