"""A database that the legacy application filled is taken over: nothing is lost, and a stranger's is refused."""

import pytest
from alembic.util import CommandError
from sqlalchemy import Engine, text

from migrations.upgrade import upgrade
from tests.support.databases import GUIDE_ROWS, GUIDE_SQL, dump, run_sql, statements_of

GUIDE_TABLES = [
    statement.split("public.")[1].split(" ")[0]
    for statement in statements_of(GUIDE_SQL)
    if statement.startswith("CREATE TABLE")
]


def columns_of(database: Engine) -> dict[str, str]:
    """Return the columns of each of the guide's tables as they are now, ready for a SELECT."""
    query = text(
        "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = :name"
    )
    with database.connect() as connection:
        return {name: connection.execute(query, {"name": name}).scalar_one() for name in GUIDE_TABLES}


def rows_of(database: Engine, columns: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    """Return what the given columns hold, table by table."""
    with database.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(text(f"SELECT {columns[name]} FROM {name} ORDER BY id"))]
            for name in GUIDE_TABLES
        }


def test_every_row_survives(guide_url: str, database: Engine) -> None:
    """Upgrade a database with rows in all ten tables; what the guide's columns hold stays as it was."""
    run_sql(guide_url, GUIDE_ROWS)
    columns = columns_of(database)
    before = rows_of(database, columns)

    upgrade(guide_url)

    assert rows_of(database, columns) == before
    assert [name for name, rows in before.items() if not rows] == []
    assert len(GUIDE_TABLES) == 10


def test_a_database_with_other_tables_is_filled(url: str, database: Engine) -> None:
    """Tables of another application are not changed and do not count as the guide's."""
    run_sql(url, "CREATE TABLE session (sid text PRIMARY KEY); INSERT INTO session VALUES ('kept')")

    upgrade(url)

    with database.connect() as connection:
        assert connection.scalar(text("SELECT sid FROM session")) == "kept"
        assert connection.scalar(text("SELECT count(*) FROM users")) == 0


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        ("DROP TABLE newsletter_subscriptions", "table newsletter_subscriptions is missing"),
        ("ALTER TABLE users DROP COLUMN uid", "column users.uid is missing"),
        ("ALTER TABLE users ALTER uid TYPE varchar(9)", "column users.uid is VARCHAR(9), not TEXT"),
        ("ALTER TABLE users ALTER email DROP NOT NULL", "column users.email lacks NOT NULL"),
        ("ALTER TABLE wheel_spins ALTER timestamp DROP DEFAULT", "column wheel_spins.timestamp lacks its default"),
        ("ALTER TABLE bonus_codes DROP CONSTRAINT bonus_codes_code_unique", "bonus_codes lacks its unique key (code)"),
        (
            "ALTER TABLE users DROP CONSTRAINT users_uid_unique; CREATE UNIQUE INDEX ON users (uid) WHERE verified",
            "users lacks its unique key (uid)",
        ),
        ("ALTER TABLE wager_races DROP CONSTRAINT wager_races_pkey CASCADE", "wager_races lacks its unique key (id)"),
    ],
)
def test_what_is_missing_is_named_and_nothing_changes(guide_url: str, database: Engine, damage: str, line: str) -> None:
    """Refuse a database that is only partly the guide's, before anything is written."""
    run_sql(guide_url, GUIDE_ROWS)
    run_sql(guide_url, damage)
    before = dump(guide_url)

    with pytest.raises(CommandError) as refusal:
        upgrade(guide_url)

    assert line in str(refusal.value)
    assert dump(guide_url) == before
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM users")) == 3
        assert connection.scalar(text("SELECT to_regclass('alembic_version')")) is None


def test_a_mended_database_is_adopted(guide_url: str, database: Engine) -> None:
    """A refusal leaves nothing behind that stands in the way of the next attempt."""
    run_sql(guide_url, "ALTER TABLE users RENAME COLUMN uid TO external_id")
    with pytest.raises(CommandError):
        upgrade(guide_url)
    run_sql(guide_url, "ALTER TABLE users RENAME COLUMN external_id TO uid")

    upgrade(guide_url)

    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


def test_keys_under_other_names_are_keys(guide_url: str, database: Engine) -> None:
    """A unique index of another name, as a script of one's own makes it, keeps rows apart just as well."""
    run_sql(guide_url, "ALTER TABLE users RENAME CONSTRAINT users_uid_unique TO users_uid_key")

    upgrade(guide_url)

    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


def test_a_refused_database_keeps_its_time_zone(guide_url: str, database: Engine) -> None:
    run_sql(guide_url, f"ALTER DATABASE {database.url.database} SET timezone TO 'America/New_York'")
    run_sql(guide_url, "DROP TABLE historical_races")
    with pytest.raises(CommandError, match="historical_races is missing"):
        upgrade(guide_url)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SHOW timezone").scalar_one() == "America/New_York"
