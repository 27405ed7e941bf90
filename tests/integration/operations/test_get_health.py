"""The health check."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from goatedvips import db
from goatedvips.models.schema import REVISION
from tests.support import later_release, stack
from tests.support.functions import ROOT, Functions


def test_it_answers_ok_with_both_revisions(functions: Functions) -> None:
    answer = functions.call("get_health")
    assert answer.status == 200
    assert answer.json == {"status": "ok", "database": "ok", "schema": {"expected": REVISION, "actual": REVISION}}


def test_the_code_expects_the_newest_migration() -> None:
    config = Config(toml_file=Path(ROOT / "pyproject.toml"))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_it_refuses_a_database_at_another_revision(functions: Functions, database: sa.Engine) -> None:
    def move(revision: str) -> None:
        with database.connect() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})

    move("platform_tables")
    try:
        answer = functions.call("get_health")
    finally:
        move(REVISION)
    assert (answer.status, answer.json["code"]) == (503, "schema_outdated")
    assert answer.headers["Retry-After"]
    assert answer.json["database"] == "ok"
    assert answer.json["schema"] == {"expected": REVISION, "actual": "platform_tables"}


def test_a_database_that_a_later_release_has_migrated_is_fine(
    functions: Functions, servers: stack.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old functions serve on the new schema until the deployment has updated them."""
    stack.copy(servers, "migrated_further")
    url = servers.direct("migrated_further")
    later_release.migrate(url)
    engine = db.make_engine(url)
    monkeypatch.setattr(db, "engine", lambda: engine)
    answer = functions.call("get_health")
    assert (answer.status, answer.json["schema"]) == (200, {"expected": REVISION, "actual": later_release.LATER})
    with engine.begin() as connection:  # the note is another revision's
        connection.execute(sa.text(f"COMMENT ON TABLE alembic_version IS 'another {REVISION}'"))
    assert functions.call("get_health").json["code"] == "schema_outdated"
    engine.dispose()


def test_a_database_without_any_migration_is_outdated(
    functions: Functions, servers: stack.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = db.make_engine(servers.direct("postgres"))
    monkeypatch.setattr(db, "engine", lambda: engine)
    answer = functions.call("get_health")
    assert (answer.status, answer.json["code"]) == (503, "schema_outdated")


def test_it_reports_a_database_that_is_out_of_reach(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = db.make_engine("postgresql://api@127.0.0.1:1/nowhere")
    monkeypatch.setattr(db, "engine", lambda: engine)
    answer = functions.call("get_health")
    assert (answer.status, answer.json["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"]
    assert "127.0.0.1" not in answer.text
