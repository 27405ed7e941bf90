"""The first migration makes what Drizzle makes of the guide: the same dump, to the letter."""

import shutil
import subprocess
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from migrations.upgrade import engine
from tests.migrations.conftest import GUIDE_SQL, dump, statements_of

HERE = Path(__file__).parent
MIGRATIONS = HERE.parents[1] / "migrations"


def test_the_first_migration_makes_the_guides_schema(url: str) -> None:
    """Compare with the dump that drizzle-kit's tables gave."""
    with engine(url).connect() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "guide_tables")

    assert dump(url) == statements_of(GUIDE_SQL.read_text())


def test_the_kept_dump_is_what_drizzle_makes(url: str, tmp_path: Path) -> None:
    """Push the guide's own schema with drizzle-kit, now, and compare the kept dump with that."""
    npm, npx = shutil.which("npm"), shutil.which("npx")
    # Programs and a registry that a machine may be without; the kept dump is held to the migration all the same, and
    # where CI installs them a skip fails (tests/conftest.py).
    if npm is None or npx is None:
        pytest.skip("Node.js with npm is not installed")
    for name in ("package.json", "guide.ts"):
        shutil.copy(HERE / name, tmp_path)
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    if installed.returncode != 0:
        pytest.skip(f"npm could not install drizzle-kit: {installed.stderr.strip()[-300:]}")
    push = [npx, "drizzle-kit", "push", "--dialect=postgresql", "--schema=./guide.ts", f"--url={url}"]
    pushed = subprocess.run(
        push, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )

    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    assert statements_of(GUIDE_SQL.read_text()) == dump(url)
