"""`make db-check` on what is not in the tables: rights, roles, revisions and time zones."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import make_url, text

from database import adopt as adopt_command
from database import check as check_command
from database import upgrade as upgrade_command
from database.check import State, looked_at
from database.checks.revision import lost
from database.checks.schema import steps
from database.embedded import Server
from migrations.roles_and_timeouts import ensure_roles
from migrations.upgrade import engine
from tests.database.reports import decisions, reported
from tests.support.databases import GUIDE_ROWS, config_for, run_sql


def test_a_database_in_order_leaves_nothing_to_do(adopted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command.check(adopted) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing to do."


# Rights


@pytest.fixture
def reader(adopted: str, bare_server: Server) -> Iterator[str]:
    """The database as a login sees it that may do nothing."""
    with engine(adopted).begin() as connection:
        connection.execute(text("CREATE ROLE reader LOGIN"))
    yield adopted.replace("postgres@", "reader@")
    with engine(adopted).begin() as connection:
        connection.execute(text("DROP OWNED BY reader"))
        connection.execute(text("ALTER ROLE reader SUPERUSER"))  # it may own the database, and then be nobody's
        connection.execute(text("REASSIGN OWNED BY reader TO postgres"))
        connection.execute(text("DROP ROLE reader"))


def test_each_missing_right_is_a_line_and_its_grant_mends_it(reader: str, adopted: str) -> None:
    lines = reported(reader)
    name = make_url(adopted).database
    assert [line.split(",")[0] for line in lines] == [
        "reader may not create tables in the schema public: GRANT CREATE ON SCHEMA public TO reader",
        "reader does not own the database",
        "reader may not create roles",
        "reader does not own accepted_falls",
        "reader may not read accepted_falls",
        "reader may not read alembic_version: connect as the owner of the tables",
    ]
    run_sql(
        adopted,
        f"GRANT CREATE ON SCHEMA public TO reader; ALTER DATABASE {name} OWNER TO reader; ALTER ROLE reader CREATEROLE;"
        + lines[3].split(", who does, or ")[1],
    )
    assert reported(reader) == []


def test_a_reader_is_told_what_it_may_read(reader: str, adopted: str) -> None:
    run_sql(
        adopted,
        f"{GUIDE_ROWS}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE SELECT ON users FROM reader",
    )
    report, _ = looked_at(reader)
    assert report.state is State.NEWEST
    assert (
        "reader may not read users, whose rows nobody looked at: "
        "GRANT SELECT ON users TO reader, or connect as the owner" in reported(reader)
    )
    assert not any(what.startswith("users") for what in decisions(report))
    assert any(what.startswith("bonus_codes") for what in decisions(report))


def test_the_schema_is_public_whatever_is_before_it_in_the_search_path(adopted: str, reader: str) -> None:
    run_sql(
        adopted,
        "CREATE SCHEMA reader AUTHORIZATION reader; CREATE TABLE reader.users (one integer);"
        "ALTER TABLE reader.users OWNER TO reader; GRANT SELECT ON alembic_version TO reader",
    )
    report, _ = looked_at(reader)
    assert report.state is State.NEWEST
    assert any(table.name == "users" for table in report.tables)


LACKS = {
    "ALTER ROLE api NOLOGIN": "role api may not log in",
    "ALTER ROLE api RESET statement_timeout": "role api lacks its statement_timeout of 8s",
    "REVOKE INSERT ON users, wheel_spins FROM jobs": "role jobs lacks INSERT on ",
    "GRANT UPDATE ON audit_log TO api": "role api has and must not have UPDATE on audit_log",
    "REVOKE ALL ON SEQUENCE users_id_seq FROM api": "role api lacks USAGE, SELECT ON SEQUENCE public.users_id_seq",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC, api": "role api lacks USAGE ON SCHEMA public",
}


def test_what_the_functions_roles_lack_is_a_line_and_seen_to(adopted: str) -> None:
    try:
        run_sql(adopted, "; ".join(LACKS))
        lines = reported(adopted)
        for line in LACKS.values():
            assert any(found.startswith(line) for found in lines), line
        assert all(found.startswith(tuple(LACKS.values())) for found in lines)
        assert all(found.endswith("`make db-upgrade` repairs it, with a login that has CREATEROLE") for found in lines)
    finally:
        with engine(adopted).begin() as connection:
            ensure_roles(connection)
    assert reported(adopted) == []


# Revisions


def test_an_empty_database_is_told(url: str) -> None:
    assert reported(url) == ["nothing of the platform is in it: `make db-upgrade` makes the tables"]


def test_a_database_to_adopt_is_told(bare: str) -> None:
    assert reported(bare) == [
        "it is the guide's, not adopted yet: `make db-adopt` does that, and says beforehand what will happen"
    ]


@pytest.mark.parametrize(
    ("revision", "line"),
    [
        ("guide_tables", "its schema is behind, at guide_tables: `make db-adopt` goes on with an adoption"),
        ("of_tomorrow", "its schema is unknown to this checkout, of_tomorrow: take a newer checkout"),
    ],
)
def test_another_revision_is_told(adopted: str, revision: str, line: str) -> None:
    run_sql(adopted, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert reported(adopted)[0].startswith(line)
    assert len(reported(adopted)) == 1


def test_two_revisions_at_once_are_told(adopted: str) -> None:
    run_sql(adopted, "INSERT INTO alembic_version VALUES ('another')")
    head = str(steps().get_current_head())
    both = ", ".join(sorted(["another", head]))
    others = f"DELETE FROM alembic_version WHERE version_num <> '{head}'"
    assert reported(adopted) == [f"its schema is unknown to this checkout, {both}: only one can be: {others}"]
    run_sql(adopted, "UPDATE alembic_version SET version_num = 'a_third' WHERE version_num <> 'another'")
    assert reported(adopted)[0].endswith("only one can be, and this checkout knows none of them")


MADE_ALEMBIC = "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY); "


def test_each_step_is_known_by_what_it_made(bare: str) -> None:
    for step in [*steps().walk_revisions()][::-1][1:]:
        with engine(bare).connect() as connection:
            command.upgrade(config_for(connection), step.revision)
            found = lost(connection)
        assert found is not None
        assert found.what.endswith(f"by what is there {step.revision}")


@pytest.mark.parametrize("loss", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
@pytest.mark.parametrize("step", ["platform_tables", str(steps().get_current_head())])
def test_a_revision_that_is_lost_is_the_only_thing_told_and_put_back(
    bare: str, loss: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MADE_ALEMBIC if "DROP" in loss else ""
    with engine(bare).connect() as connection:
        command.upgrade(config_for(connection), step)
    run_sql(bare, loss)
    report, _ = looked_at(bare)
    assert report.state is State.LOST
    (line,) = map(str, report.obstacles)
    assert line == (
        f"tables of the platform are there without their revision, by what is there {step}: "
        f"{made}INSERT INTO alembic_version VALUES ('{step}'), then look again"
    )
    assert not [finding for finding in report.remarks if "role" not in finding.what]
    for refused in (upgrade_command.upgrade, adopt_command.adopt):
        monkeypatch.setenv("YES", "1")
        with pytest.raises(SystemExit, match=r"without their revision|Nothing was changed"):
            refused(bare)
    run_sql(bare, report.obstacles[0].do.removesuffix(", then look again"))
    assert looked_at(bare)[0].revision == step


def test_others_have_tables_of_our_names_too(bare: str) -> None:
    run_sql(bare, "CREATE TABLE sessions (id serial, sess json, expire timestamp); CREATE TABLE outbox (id integer)")
    assert looked_at(bare)[0].state is State.GUIDE


@pytest.mark.parametrize("revision", ["platform_tables", "accounts_and_access", "abc123"])
def test_what_is_ours_is_never_called_foreign(adopted: str, revision: str) -> None:
    run_sql(adopted, f"UPDATE alembic_version SET version_num = '{revision}'; ALTER TABLE users ADD theirs text")
    report, _ = looked_at(adopted)
    assert [finding.what for finding in report.remarks if finding.is_harmless] == ["column users.theirs is not ours"]
    assert report.obstacles == []


# Time zones


def test_a_time_zone_before_adoption_is_told(bare: str) -> None:
    run_sql(bare, f"ALTER DATABASE {make_url(bare).database} SET timezone TO 'America/New_York'")
    assert reported(bare)[1] == (
        "the time zone is America/New_York, so times that now() has stored would be misread as UTC: "
        "shift them first, as docs/adopting.md shows; the adoption then sets the time zone to UTC"
    )


def test_a_time_zone_after_adoption_is_told_and_mended(adopted: str) -> None:
    run_sql(adopted, f"ALTER DATABASE {make_url(adopted).database} SET timezone TO 'Europe/London'")
    (line,) = reported(adopted)
    assert line.startswith(
        "the time zone is Europe/London, so times that now() stores are misread as UTC: ALTER DATABASE"
    )
    run_sql(adopted, line.split(": ")[1].split(", connect")[0])
    assert reported(adopted) == []


def test_a_role_with_a_time_zone_of_its_own_is_told_and_mended(adopted: str) -> None:
    name = make_url(adopted).database
    run_sql(adopted, f"ALTER ROLE jobs IN DATABASE {name} SET timezone TO 'Asia/Tokyo'")
    (line,) = reported(adopted)
    assert line.startswith("role jobs has a time zone of its own, Asia/Tokyo")
    run_sql(adopted, line.split(": ")[1])
    assert reported(adopted) == []


@pytest.mark.parametrize("zone", ["Etc/UTC", "GMT"])
def test_another_name_of_utc_is_utc(bare: str, zone: str) -> None:
    run_sql(bare, f"ALTER DATABASE {make_url(bare).database} SET timezone TO '{zone}'")
    assert len(reported(bare)) == 1
