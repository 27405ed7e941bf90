"""The keys that adopted rows may break: who gets them, and what the legacy application never notices."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Connection, text

from database.embedded import Server
from migrations.upgrade import engine, upgrade
from tests.support.databases import GUIDE_SQL, create_database, numbers, run_sql

OLD_ROWS = """
INSERT INTO users (username, password, email) VALUES
    ('Goat', 'x', 'Goat@Example.com'), ('goat', 'x', 'goat@example.com'), ('GOAT', 'x', 'other@example.com');
INSERT INTO wheel_spins (user_id, segment_index, timestamp) VALUES
    (1, 0, '2026-01-01 00:00'), (1, 1, '2026-01-01 23:59:59.999999'), (1, 2, '2026-01-02'), (NULL, 3, '2026-01-01');
INSERT INTO bonus_codes (code, user_id, expires_at, is_used) VALUES
    ('ab-cd', 1, '2027-01-01', true), ('AB CD', 2, '2027-01-01', false);
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution) VALUES
    ('old', 'weekly', 'completed', 1, '2020-01-01', '2020-01-08', 0, '{}'),
    ('running', 'weekly', 'live', 1, '2020-01-01', '2999-01-08', 0, '{}');
INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES
    (1, 1, 5), (1, 1, 6), (1, 2, 7), (NULL, 1, 8);
INSERT INTO newsletter_subscriptions (email) VALUES ('A@x.com'), ('a@x.com');
"""


@pytest.fixture(scope="module")
def template(bare_server: Server) -> str:
    """Adopt a database of the legacy application, with rows that collide, to copy from; return its name."""
    name = "adopted_with_collisions"
    url = create_database(bare_server, name)
    run_sql(url, GUIDE_SQL)
    run_sql(url, OLD_ROWS)
    upgrade(url)
    return name


@pytest.fixture
def adopted(bare_server: Server, template: str) -> str:
    """Copy the adopted database."""
    return create_database(bare_server, f"collisions_{next(numbers)}", template)


def column(address: str, statement: str) -> list[object]:
    with engine(address).connect() as connection:
        return list(connection.execute(text(statement)).scalars())


def test_the_oldest_of_each_group_gets_the_key(adopted: str) -> None:
    for statement, expected in (
        ("SELECT username_key FROM users ORDER BY id", ["goat", None, None]),
        ("SELECT email_key FROM users ORDER BY id", ["goat@example.com", None, "other@example.com"]),
        ("SELECT spin_day::text FROM wheel_spins ORDER BY id", ["2026-01-01", None, "2026-01-02", None]),
        ("SELECT code_key FROM bonus_codes ORDER BY id", ["ABCD", None]),
        ("SELECT member_key FROM wager_race_participants ORDER BY id", [1, None, 2, None]),
        ("SELECT email_key FROM newsletter_subscriptions ORDER BY id", ["a@x.com", None]),
    ):
        assert column(adopted, statement) == expected


def test_what_adopted_rows_mean_is_written_down(adopted: str) -> None:
    assert column(adopted, "SELECT settled_at IS NOT NULL FROM wager_races ORDER BY id") == [True, False]
    assert column(adopted, "SELECT claims FROM bonus_codes ORDER BY id") == [1, 0]
    assert column(adopted, "SELECT max_claims FROM bonus_codes ORDER BY id") == [1, 1]
    assert column(adopted, "SELECT user_id FROM code_claims") == [1]


def test_a_later_row_of_the_legacy_application_gets_a_free_key_and_never_fails(adopted: str) -> None:
    run_sql(
        adopted,
        """
        INSERT INTO users (id, username, password, email) VALUES
            (default, 'New', 'x', 'New@x.com'), (default, 'NEW', 'x', 'new@x.com');
        INSERT INTO wheel_spins (user_id, segment_index) VALUES (2, 0), (2, 0);
        """,
    )
    assert column(adopted, "SELECT username_key FROM users WHERE id > 3 ORDER BY id") == ["new", None]
    assert column(adopted, "SELECT spin_day = now()::date FROM wheel_spins WHERE user_id = 2 ORDER BY id") == [
        True,
        None,
    ]


def test_a_renamed_row_takes_its_key_along(adopted: str) -> None:
    run_sql(adopted, "UPDATE users SET username = 'Ram' WHERE id = 1")
    run_sql(adopted, "UPDATE users SET username = 'gOAT' WHERE id = 2")
    run_sql(adopted, "UPDATE users SET username = 'RAM' WHERE id = 3")
    assert column(adopted, "SELECT username_key FROM users ORDER BY id") == ["ram", "goat", None]
    run_sql(adopted, "UPDATE users SET bio = 'x'")
    assert column(adopted, "SELECT username_key FROM users ORDER BY id") == ["ram", "goat", None]


def test_a_participation_that_moves_takes_its_key_along(adopted: str) -> None:
    run_sql(adopted, "INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES (2, 1, 0)")
    run_sql(adopted, "UPDATE wager_race_participants SET race_id = 2")
    assert column(adopted, "SELECT member_key FROM wager_race_participants ORDER BY id") == [None, None, 2, None, 1]


def test_who_came_first_is_next(adopted: str) -> None:
    """A key that becomes free waits for the oldest of those without: no newer row takes it meanwhile."""
    run_sql(adopted, "UPDATE users SET username = 'Ram' WHERE id = 1")
    run_sql(adopted, "INSERT INTO users (username, password, email) VALUES ('gOAT', 'x', 'g')")
    assert column(adopted, "SELECT username_key FROM users ORDER BY id") == ["ram", None, None, None]
    run_sql(adopted, "UPDATE users SET username = username WHERE id = 3")
    assert column(adopted, "SELECT username_key FROM users ORDER BY id") == ["ram", None, None, None]
    run_sql(adopted, "UPDATE users SET username = username")
    assert column(adopted, "SELECT username_key FROM users ORDER BY id") == ["ram", "goat", None, None]


def test_any_update_of_a_row_without_key_asks_again(adopted: str) -> None:
    run_sql(adopted, "DELETE FROM code_claims; DELETE FROM bonus_codes WHERE id = 1")
    run_sql(adopted, "UPDATE bonus_codes SET is_used = true")
    assert column(adopted, "SELECT code_key FROM bonus_codes") == ["ABCD"]


def test_an_update_of_a_member_lets_others_refer_to_them(adopted: str) -> None:
    """A row that is given a key is locked against that: only who writes the name asks for one."""
    run_sql(adopted, "UPDATE users SET username = 'Ram' WHERE id = 1")
    with engine(adopted).connect() as connection, engine(adopted).connect() as other:
        connection.execute(text("UPDATE users SET total_wager = total_wager + 1"))
        other.execute(text("SET lock_timeout = '100ms'"))
        other.execute(text("INSERT INTO wheel_spins (user_id, segment_index) VALUES (2, 0)"))
        other.commit()
        connection.commit()
    assert column(adopted, "SELECT username_key FROM users ORDER BY id") == ["ram", None, None]


def test_any_number_of_rows_fits_into_one_statement(adopted: str) -> None:
    """No lock is held for each."""
    with engine(adopted).connect() as connection:
        for statement in (
            """INSERT INTO bonus_codes (code, code_key, expires_at)
            SELECT 'batch-' || n, 'BATCH' || n, now() FROM generate_series(1, 100000) n""",
            "INSERT INTO users (username, password, email) SELECT n, 'x', n FROM generate_series(1, 5000) n",
            "UPDATE users SET total_wager = 1",
        ):
            connection.execute(text(statement))
            assert (
                connection.execute(text("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")).scalar_one() < 64
            )
        connection.commit()
    assert column(adopted, "SELECT count(*) FROM users WHERE username_key = username") == [5000]


def test_many_new_members_read_few_rows_each_where_statistics_are_of_a_few_members(guide_url: str) -> None:
    upgrade(guide_url)
    insert = "INSERT INTO users (username, password, email) SELECT n, 'x', n FROM generate_series({}, {}) n"
    reads = "SELECT sum(pg_stat_get_xact_tuples_fetched(oid) + pg_stat_get_xact_tuples_returned(oid)) FROM pg_class"
    with engine(guide_url).connect() as connection:
        connection.execute(text(insert.format(1, 30)))
        connection.execute(text("ANALYZE users"))
        connection.commit()
    with engine(guide_url).connect() as connection:
        connection.execute(text(insert.format(31, 1030)))
        rows_read = connection.execute(text(f"{reads} WHERE relname LIKE 'users%'")).scalar_one()
    assert rows_read < 20 * 1000


def test_old_transactions_that_cross_both_go_through(adopted: str) -> None:
    """Each waits for a key that the other holds; no deadlock ends one of them, nor does either wait a second."""
    met = Barrier(2)

    def insert(names: tuple[str, str]) -> float:
        with engine(adopted).connect() as connection:
            started(connection)
            met.wait(30)
            begun = time.monotonic()
            for name in names:
                connection.execute(
                    text(f"INSERT INTO users (username, password, email) VALUES ('{name}', 'x', '{name}')")
                )
                if name == names[0]:
                    met.wait(30)
            connection.commit()
            return time.monotonic() - begun

    with ThreadPoolExecutor(2) as pool:
        waited = list(pool.map(insert, (("ann", "bob"), ("BOB", "ANN"))))
    assert column(adopted, "SELECT count(*) FROM users WHERE lower(username) IN ('ann', 'bob')") == [4]
    holders = column(adopted, "SELECT username_key FROM users WHERE username_key IN ('ann', 'bob') ORDER BY 1")
    assert holders == ["ann", "bob"]
    assert max(waited) < 1


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_who_waits_for_a_key_gets_it_when_the_first_rolls_back(adopted: str, isolation: str, end: str) -> None:
    with engine(adopted).connect() as first, engine(adopted).connect() as second:
        second.execution_options(isolation_level=isolation)
        started(second)
        first.execute(text("INSERT INTO users (username, password, email) VALUES ('Ann', 'x', '1')"))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(
                second.execute, text("INSERT INTO users (username, password, email) VALUES ('ANN', 'x', '2')")
            )
            time.sleep(0.1)
            getattr(first, end)()
            waiting.result(10)
        second.commit()
    holders = column(adopted, "SELECT username FROM users WHERE username_key = 'ann'")
    assert holders == ["Ann" if end == "commit" else "ANN"]


def test_an_old_row_gives_way_to_ours_in_flight(adopted: str) -> None:
    """Ours brings its key along; the old insert waits a moment, goes on without, and neither fails."""
    with engine(adopted).connect() as ours, engine(adopted).connect() as old:
        ours.execute(
            text("INSERT INTO users (username, username_key, password, email) VALUES ('ann', 'ann', 'x', 'ours')")
        )
        old.execute(text("SET statement_timeout = '10s'"))
        begun = time.monotonic()
        old.execute(text("INSERT INTO users (username, password, email) VALUES ('Ann', 'x', 'old')"))
        assert time.monotonic() - begun < 1
        old.commit()
        ours.commit()
    assert column(adopted, "SELECT email FROM users WHERE lower(username) = 'ann' ORDER BY username_key") == [
        "ours",
        "old",
    ]


def test_our_row_sees_an_old_one_in_flight(adopted: str) -> None:
    with engine(adopted).connect() as ours, engine(adopted).connect() as old:
        old.execute(text("INSERT INTO wheel_spins (user_id, segment_index) VALUES (2, 0)"))
        with ThreadPoolExecutor(1) as pool:
            spin = pool.submit(
                ours.execute,
                text(
                    "INSERT INTO wheel_spins (user_id, segment_index, spin_day) VALUES (2, 0, now()::date)"
                    " ON CONFLICT (user_id, spin_day) DO NOTHING RETURNING id"
                ),
            )
            time.sleep(0.1)
            assert not spin.done()
            old.commit()
            assert spin.result(10).all() == []


INSERTS: dict[str, Callable[[int], str]] = {
    "users": lambda turn: (
        "INSERT INTO users (username, password, email) "
        f"VALUES ('{mixed('racer', turn)}', 'x', '{mixed('racer@x', turn)}')"
    ),
    "wheel_spins": lambda _: "INSERT INTO wheel_spins (user_id, segment_index) VALUES (3, 0)",
    "wager_race_participants": lambda _: (
        "INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES (2, 3, 0)"
    ),
}


def mixed(word: str, turn: int) -> str:
    """A spelling of its own for each turn."""
    return "".join(letter.upper() if turn >> place & 1 else letter for place, letter in enumerate(word))


@pytest.mark.parametrize("table", INSERTS)
def test_old_inserts_at_once_all_succeed_and_one_has_the_key(adopted: str, table: str) -> None:
    count = 16
    before = len(column(adopted, f"SELECT id FROM {table}"))
    ready = Barrier(count)

    def insert(turn: int) -> None:
        with engine(adopted).connect() as connection:
            started(connection)
            ready.wait(30)
            connection.execute(text(INSERTS[table](turn)))
            connection.commit()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(insert, range(count)))
    key = {"users": "username_key", "wheel_spins": "spin_day", "wager_race_participants": "member_key"}[table]
    new = column(adopted, f"SELECT {key} FROM {table} ORDER BY id OFFSET {before}")
    assert len(new) == count
    assert sum(value is not None for value in new) == 1


def started(connection: Connection) -> None:
    """Connect, and end the transaction that looking at the server begins."""
    connection.execute(text("SELECT 1"))
    connection.rollback()
