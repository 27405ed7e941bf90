"""Each kind of database is adopted whole or not begun; then members and the legacy application find nothing amiss.

The databases of `cases.py` and `hosted_cases.py`, on the embedded PostgreSQL and on a second version where Debian's is
installed.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.dialects.postgresql import dialect

from database.adopt import adopt
from database.check import State, lines, looked_at
from database.checks.finding import Command
from database.checks.schema import steps
from database.embedded import Server, program, running
from goatedvips.domain.accounts import passwords
from migrations.upgrade import engine
from tests.database.cases import CASES, Case
from tests.database.hosted_cases import HOSTED_CASES
from tests.database.reports import follow, whats
from tests.database.test_adopting import GUIDE_TABLES
from tests.database.walk import PASSWORD, functions_on, walk
from tests.support.databases import GUIDE_SQL, run_sql

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
VERSIONS: dict[str, Path | None] = {"embedded": None} | {path.parts[-3]: path.parent for path in DEBIAN[-1:]}
OF_ROWS_AND_NAMES = {
    "the next id is taken",
    "ids by hand in several tables",
    "an id at the end of integer",
    "ids below one",
    "a sequence of another name",
    "only one row without a uid",
    "keys that are indexes",
    "keys ignoring case of its own",
    "a key that is missing",
    "shells",
    "bcrypt passwords of members with an address",
    "addresses and uids with what nobody sees",
    "schemas named as the functions' roles",
    "unlogged tables",
    "a table that inherits",
    "an enum with a name of ours",
    "a domain with a name of ours",
    "a composite type with a name of ours",
    "a view with a name of ours",
    "a sequence with a name of ours",
    "a column with a name of ours",
    "numbers without a precision",
    "times without microseconds",
    "texts of a length",
    "foreign keys that cascade",
    "a function with another body",
    "a trigger that never fires",
    "a trigger that is disabled",
    "ids by hand after the adoption",
    "a required column in need of quotes",
    "a database that is shut later",
}
"""What differs in these is the same on every version of PostgreSQL: they are adopted on the embedded one only."""
DATABASES = [
    pytest.param(case, version, id=f"{name}-{version}")
    for name, case in (CASES | HOSTED_CASES).items()
    for version in VERSIONS
    if (not case.needs_icu if version == "embedded" else case.since <= int(version) and name not in OF_ROWS_AND_NAMES)
]
LEAST_DATABASES = 40
TEMPLATE = "guide"
CODES = ("Old-One", "old two")
ROWS = """
INSERT INTO users (username, password, email, uid, total_wager) VALUES
    ('Veteran', '{stored}', 'Veteran@a.io', 'casino-1', 12.5), ('second', '{stored}', 'second@a.io', null, 0),
    ('third', '{stored}', 'third@a.io', null, 0);
INSERT INTO wheel_spins (user_id, segment_index, timestamp) VALUES (1, 3, '2025-01-01'), (2, 0, '2025-01-01 12:00');
INSERT INTO bonus_codes (code, expires_at) VALUES ('Old-One', '2999-01-01'), ('old two', '2999-01-01');
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution) VALUES
    ('Running', 'weekly', 'live', 100, now() - interval '2 days', now() + interval '5 days', 0, '{{"1": 100}}');
INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES (1, 2, 5);
INSERT INTO support_tickets (user_id, subject, description) VALUES (2, 'Bonus', 'Where is it?');
INSERT INTO ticket_messages (ticket_id, user_id, message) VALUES (1, 2, 'Hello?');
INSERT INTO newsletter_subscriptions (email) VALUES ('reader@a.io');
INSERT INTO historical_races (month, year, prize_pool, start_date, end_date, participants, total_wagered,
    participant_count) VALUES ('12', '2024', 100, '2024-12-01', '2025-01-01', '[]', 12.5, '1');
"""
# What the legacy application inserts, as Drizzle writes it, into each table that both write to.
LEGACY_INSERTS = """
INSERT INTO users (id, username, password, email, uid) VALUES (default, 'Later', 'x', 'later@a.io', 'casino-later');
INSERT INTO wheel_spins (id, user_id, segment_index, "timestamp") VALUES (default, 3, 1, default);
INSERT INTO bonus_codes (id, code, user_id, expires_at) VALUES (default, 'Later-Code', 3, '2999-01-01');
INSERT INTO wager_race_participants (id, race_id, user_id, total_wager) VALUES (default, 1, 3, '0');
INSERT INTO support_tickets (id, user_id, subject, description) VALUES (default, 3, 'x', 'x');
INSERT INTO ticket_messages (id, ticket_id, user_id, message) VALUES (default, 1, 3, 'x');
INSERT INTO newsletter_subscriptions (id, email) VALUES (default, 'Later@a.io');
INSERT INTO notification_preferences (id) VALUES (default);
"""
KEYS_OF_LATER = """
SELECT (SELECT username_key || ' ' || email_key FROM users WHERE username = 'Later'),
    (SELECT code_key FROM bonus_codes WHERE code = 'Later-Code'),
    (SELECT email_key FROM newsletter_subscriptions WHERE email = 'Later@a.io')
"""
numbers = count()
quoted = dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say beforehand that the adoption is meant."""
    monkeypatch.setenv("YES", "1")
    monkeypatch.setenv("TIME_ZONE", "America/New_York")


@contextmanager
def cluster(folder: Path, programs: Path | None) -> Iterator[Server]:
    """Run a server with a database as Drizzle makes it, and rows in it, to copy from."""
    with running(folder, durable=False, programs=programs) as server:
        create(server, TEMPLATE, "TEMPLATE template0")
        yield server


def create(server: Server, name: str, options: str) -> str:
    """Create a database, filled unless it is a copy of one that is; return its URL."""
    with engine(server.url("postgres")).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text(f"CREATE DATABASE {quoted(name)} {options}"))
        autocommit.execute(text(f"ALTER DATABASE {quoted(name)} SET timezone TO 'UTC'"))
    url = make_url(server.url("postgres")).set(database=name).render_as_string()
    if "template0" in options:
        run_sql(url, GUIDE_SQL.replace("SET transaction_timeout = 0;\n", ""))  # of PostgreSQL 17
        run_sql(url, ROWS.format(stored=passwords.hash_password(PASSWORD, legacy=True)))
    return url


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """The servers of those databases that can share one, by version, each started when it is first wanted."""
    started: dict[str, Server] = {}
    open_clusters = []

    class Clusters(dict[str, Server]):
        def __missing__(self, version: str) -> Server:
            context = cluster(tmp_path_factory.mktemp(f"cluster_{version}"), VERSIONS[version])
            open_clusters.append(context)
            self[version] = context.__enter__()
            return self[version]

    yield Clusters(started)
    for context in open_clusters:
        context.__exit__(None, None, None)


@contextmanager
def server_of(case: Case, version: str, clusters: dict[str, Server], folder: Path) -> Iterator[Server]:
    """The server for a case: one of its own where it touches what databases share."""
    if case.has_own_cluster:
        with cluster(folder / "cluster", VERSIONS[version]) as server:
            yield server
    else:
        yield clusters[version]


def copied(server: Server, options: str = "", name: str = "") -> str:
    """Copy the template, or create a database with options of its own; return the URL."""
    source = f"TEMPLATE template0 {options}" if options else f"TEMPLATE {TEMPLATE}"
    return create(server, name or f"case_{next(numbers)}", source)


def read_checksums(url: str) -> dict[str, tuple[object, ...]]:
    """What the guide's columns hold, a checksum a table."""
    checksums = {}
    with engine(url).connect() as connection:
        for table in GUIDE_TABLES:
            columns = [each.strip().split(" ")[0] for each in _body(table).split(",\n")]
            listed = ", ".join(columns)
            rows = f"(SELECT {listed} FROM public.{table}) AS part"
            query = f"SELECT count(*), md5(string_agg(part::text, ';' ORDER BY id)) FROM {rows}"
            checksums[table] = tuple(connection.execute(text(query)).one())
    return checksums


def _body(table: str) -> str:
    return GUIDE_SQL.split(f"CREATE TABLE public.{table} (\n")[1].split("\n);")[0]


def expect_lines(found: Sequence[str], starts: tuple[str, ...], name: str) -> None:
    for start in starts:
        assert any(line.startswith(start.format(database=name)) for line in found), (start, found)


@pytest.mark.parametrize("version", VERSIONS)
def test_at_least_forty_databases_are_adopted_on_each_version(version: str) -> None:
    assert {*(CASES | HOSTED_CASES)} >= OF_ROWS_AND_NAMES
    assert sum(each.values[1] == version for each in DATABASES) >= LEAST_DATABASES


@pytest.mark.parametrize(("case", "version"), DATABASES)
def test_it_is_adopted_whole_or_not_begun(
    case: Case,
    version: str,
    clusters: dict[str, Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with server_of(case, version, clusters, tmp_path) as server:
        superuser_url = copied(server, case.options, case.database)
        name = quoted(str(make_url(superuser_url).database))
        if case.sql:
            run_sql(superuser_url, case.sql.replace("{database}", name))
        url = make_url(superuser_url).set(username=case.login.format(database=name)).render_as_string()

        followed = set() if case.harmless else mend(case, url, superuser_url)
        if not case.is_begun:
            with pytest.raises(SystemExit, match="Nothing was changed"):
                adopt(url)
            assert looked_at(url)[0].revision is None
            return
        content = read_checksums(superuser_url)
        capsys.readouterr()
        assert adopt(url).startswith("Adopted")
        assert read_checksums(superuser_url) == content
        # What db-check says before and after is what the adoption prints before and after.
        before, after = (part.splitlines() for part in capsys.readouterr().out.split("\nThe tables, with rows"))
        if case.harmless:
            expect_lines(before, case.before, name)
        assert not [line for line in before if line.startswith("MEND") or any(what in line for what in followed)]
        assert f"revision {steps().get_current_head()}: {State.NEWEST.value}" in after
        assert not [line for line in after if line.startswith(("MEND", "DO "))]

        damage, expected = case.after
        if damage:
            run_sql(superuser_url, damage.replace("{database}", name))
            broken, _ = looked_at(url)
            expect_lines([*lines(broken)], expected, name)
            assert follow(broken, url, superuser_url) == whats(broken)

        with functions_on(superuser_url, monkeypatch) as functions:
            assert walk(functions, CODES, 1, "Veteran") == []
        run_sql(superuser_url, f"SET search_path TO public; {LEGACY_INSERTS}")
        with engine(superuser_url).connect() as connection:
            later = tuple(connection.execute(text(KEYS_OF_LATER.replace("FROM ", "FROM public."))).one())
        assert later == ("later later@a.io", "LATERCODE", "later@a.io")
        finally_, _ = looked_at(url)
        assert not whats(finally_), list(lines(finally_))


def mend(case: Case, url: str, superuser_url: str) -> set[str]:
    """Check that `db-check` prints what prevents the adoption, and run its commands; return the lines that had some."""
    report, _ = looked_at(url)
    expect_lines([*lines(report)], case.before, quoted(str(make_url(superuser_url).database)))
    assert [finding for finding in report.obstacles if not finding.is_harmless]
    report.remarks = [finding for finding in report.remarks if finding.kind is not Command.ADOPT]
    return follow(report, url, superuser_url) if case.is_begun else set()


def test_there_are_enough_of_them() -> None:
    assert len(CASES | HOSTED_CASES) >= 60


@pytest.fixture
def adopted_url(clusters: dict[str, Server]) -> str:
    """An adopted database with rows."""
    url = copied(clusters["embedded"])
    adopt(url)
    return url


def test_a_role_with_insert_alone_writes_wherever_its_search_path_leads(adopted_url: str) -> None:
    """As the legacy application might, and as a restore of rows does: the triggers need neither its path nor rights."""
    database = make_url(adopted_url).database
    run_sql(
        adopted_url,
        f"CREATE ROLE {database}_writer LOGIN; GRANT USAGE ON SCHEMA public TO {database}_writer;"
        f"GRANT INSERT ON ALL TABLES IN SCHEMA public TO {database}_writer;"
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {database}_writer",
    )
    inserts = LEGACY_INSERTS.replace("INSERT INTO ", "INSERT INTO public.")
    writer = make_url(adopted_url).set(username=f"{database}_writer").render_as_string()
    run_sql(writer, f"SET search_path TO ''; {inserts}")
    with engine(adopted_url).connect() as connection:
        assert tuple(connection.execute(text(KEYS_OF_LATER)).one()) == ("later later@a.io", "LATERCODE", "later@a.io")
    run_sql(adopted_url, f"DROP OWNED BY {database}_writer; DROP ROLE {database}_writer")


def test_rows_of_the_guides_tables_are_restored_into_an_adopted_database(
    clusters: dict[str, Server], adopted_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump of only data sets no search path and leaves triggers enabled."""
    tables = [f"--table=public.{table}" for table in GUIDE_TABLES]
    source = clusters["embedded"].url(TEMPLATE)
    command = [program("pg_dump"), "--data-only", "--inserts", "--column-inserts", *tables, source]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    content = read_checksums(source)
    run_sql(adopted_url, "DELETE FROM wager_race_participants; DELETE FROM code_claims; DELETE FROM ticket_messages")
    run_sql(adopted_url, f"TRUNCATE {', '.join(GUIDE_TABLES)} CASCADE")
    run_sql(adopted_url, "\n".join(line for line in dumped.splitlines() if not line.startswith("\\")))
    assert read_checksums(adopted_url) == content
    report, _ = looked_at(adopted_url)
    assert not [what for what in whats(report) if "sequence" not in what]
    follow(report, adopted_url, adopted_url)
    assert not whats(looked_at(adopted_url)[0])
    with functions_on(adopted_url, monkeypatch) as functions:
        assert walk(functions, CODES, 1, "Veteran") == []
