"""`make db-check` on rows: those that need a decision are listed, and no others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from database import check as check_command
from database.check import State, looked_at
from database.checks import rights
from database.checks.rights import Owned
from database.checks.schema import guide
from migrations.upgrade import upgrade
from tests.database.reports import decisions
from tests.support.databases import AWKWARD_ROWS, GUIDE_ROWS, run_sql

COLLISIONS = r"""
INSERT INTO users (username, password, email) VALUES
    ('İstanbul', 'x', 'a@x.com'), ('istanbul', 'x', 'A@X.COM'), ('Straße', 'x', 'b@x.com'), ('STRASSE', 'x', 'c@x.com'),
    ('STRAẞE', 'x', 'd@x.com'), ('ΟΔΟΣ', 'x', 'e@x.com'), ('οδος', 'x', 'f@x.com'), ('οδοσ', 'x', 'g@x.com'),
    (E'Zo\u00eb', 'x', 'h@x.com'), (E'ZOE\u0308', 'x', 'i@x.com'), ('a@x.com', 'x', 'j@x.com'),
    ('k@X.com', 'x', 'k@x.com');
INSERT INTO wheel_spins (user_id, segment_index, timestamp) VALUES
    (1, 0, '2025-01-01 23:59:59.999999'), (1, 0, '2025-01-02 00:00:00'), (1, 0, '2025-01-02 23:59:59.999999'),
    (2, 0, '2025-01-02 00:00:00'), (null, 0, '2025-01-02'), (null, 0, '2025-01-02'),
    (3, 0, '2025-01-03 12:00'), (3, 0, '2025-01-03 11:00'), (3, 0, '2025-01-03 10:00'),
    (3, 0, '2025-01-03 09:00'), (3, 0, '2025-01-03 08:00');
INSERT INTO bonus_codes (code, expires_at) VALUES
    ('AB-CD', '2027-01-01'), ('ab cd', '2027-01-01'), (E'A\u2014b\u00a0C\u2212d', '2027-01-01'),
    (E'ab\tcd\n', '2027-01-01'),
    ('ABCE', '2027-01-01'), (E'AB\u200bCD', '2027-01-01'), ('A_B_C_D', '2027-01-01'),
    ('-', '2027-01-01'), (' ', '2027-01-01'),
    ('abcß', '2027-01-01'), ('ABCSS', '2027-01-01'),
    (E'GO\u200bAT', '2027-01-01'), ('GOAT', '2027-01-01'), (E'GO\u2060AT', '2027-01-01');
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution) VALUES
    ('one', 'weekly', 'live', 1, '2020-01-01', '2999-01-08', 0, '{}'),
    ('two', 'weekly', 'live', 1, '2020-01-01', '2999-01-08', 0, '{}');
INSERT INTO wager_race_participants (race_id, user_id, total_wager) VALUES
    (1, 1, 5), (2, 1, 5), (1, 2, 5), (1, 1, 6), (1, 1, 6), (null, 1, 1), (null, 1, 1), (1, null, 1), (1, null, 1);
INSERT INTO newsletter_subscriptions (email) VALUES ('A@x.com'), ('a@x.com'), (' a@x.com'), ('a@x.com '), ('A@X.COM');
"""
KEYED = {
    "users: usernames equal to an older member's, ignoring case": [2, 5, 8],
    "users: e-mail addresses equal to an older member's, ignoring case": [2],
    "wheel_spins: spins after the member's first of that UTC day": [3, 8, 9, 10, 11],
    "bonus_codes: codes that read like an older one, ignoring case, spaces, dashes and invisible characters": [
        *(2, 3, 4, 6, 9, 12, 14),
    ],
    "wager_race_participants: further rows of a member in the same race": [4, 5],
    "newsletter_subscriptions: addresses equal to an older subscription's, ignoring case": [2, 5],
    "users: usernames that are another member's e-mail address, ignoring case": [11],
    "newsletter_subscriptions: e-mail addresses that no mail reaches": [3, 4],
}


def test_rows_that_need_a_decision_are_named_and_no_others_before_and_after(bare: str) -> None:
    """What the database's own lower() makes equal: of the sharp s its capital, of the final sigma nothing."""
    run_sql(bare, COLLISIONS)
    before, _ = looked_at(bare)
    assert decisions(before) == KEYED

    upgrade(bare)

    after, _ = looked_at(bare)
    assert after.state is State.NEWEST
    assert after.undecided == before.undecided


def test_years_of_awkward_rows_are_named_exactly(bare: str) -> None:
    run_sql(bare, AWKWARD_ROWS)
    before, _ = looked_at(bare)
    assert decisions(before) == {
        "users: usernames equal to an older member's, ignoring case": [2, 3],
        "users: e-mail addresses equal to an older member's, ignoring case": [2, 5],
        "wheel_spins: spins after the member's first of that UTC day": [2, 3, 4, 5],
        "bonus_codes: codes that read like an older one, ignoring case, spaces, dashes and invisible characters": [2],
        "wager_race_participants: further rows of a member in the same race": [2, 6],
        "newsletter_subscriptions: addresses equal to an older subscription's, ignoring case": [2, 3],
        "users: uids that are empty, or have white space or invisible characters in them": [3],
        "users: uids equal to an older member's, ignoring case": [2],
        "newsletter_subscriptions: e-mail addresses that no mail reaches": [4],
        "notification_preferences: preferences without an owner": [1, 2],
        "users: times in created_at outside the years 1 to 9999, or infinite": [5, 6, 7],
        "users: times in last_active outside the years 1 to 9999, or infinite": [3, 4, 6],
        "users: NaN in total_wager": [4],
        "wheel_spins: times in timestamp outside the years 1 to 9999, or infinite": [9, 10],
        "bonus_codes: times in claimed_at outside the years 1 to 9999, or infinite": [3],
        "bonus_codes: times in expires_at outside the years 1 to 9999, or infinite": [3],
        "wager_races: times in end_date outside the years 1 to 9999, or infinite": [5],
        "wager_races: NaN in min_wager": [4],
        "wager_race_participants: times in joined_at outside the years 1 to 9999, or infinite": [9],
        "wager_race_participants: NaN in total_wager": [10],
        "historical_races: NaN in prize_pool": [2],
        "historical_races: times in start_date outside the years 1 to 9999, or infinite": [2],
        "historical_races: times in end_date outside the years 1 to 9999, or infinite": [2],
        "support_tickets: times in created_at outside the years 1 to 9999, or infinite": [2],
        "newsletter_subscriptions: times in subscribed_at outside the years 1 to 9999, or infinite": [3],
        "newsletter_subscriptions: times in unsubscribed_at outside the years 1 to 9999, or infinite": [3],
    }

    upgrade(bare)

    assert looked_at(bare)[0].undecided == before.undecided


def test_rows_are_looked_for_before_all_columns_are_there(bare: str) -> None:
    run_sql(
        bare, f"{GUIDE_ROWS}; ALTER TABLE users DROP COLUMN email; ALTER TABLE wheel_spins ALTER timestamp TYPE text"
    )
    report, _ = looked_at(bare)
    assert "users: usernames equal to an older member's, ignoring case" in decisions(report)
    assert any("wheel_spins could not be searched for times in timestamp" in finding.what for finding in report.remarks)


def test_a_row_whose_key_is_free_again_is_told_and_takes_it(adopted: str) -> None:
    run_sql(
        adopted,
        "INSERT INTO users (username, password, email) VALUES ('Ann', 'x', '1'), ('ANN', 'x', '2'), ('ann', 'x', '3')",
    )
    run_sql(adopted, "UPDATE users SET username = 'Bea' WHERE id = 1")
    (kind,) = (kind for kind in looked_at(adopted)[0].undecided if not kind.is_note)
    assert kind.what == "rows without username_key, though no other row has theirs any more"
    assert kind.rows == [(2, None), (3, None)]
    run_sql(adopted, kind.do.split(" gives")[0])
    (kind,) = (kind for kind in looked_at(adopted)[0].undecided if not kind.is_note)
    assert kind.rows == [(3, 2)]


def test_an_erased_member_is_no_shell(adopted: str) -> None:
    run_sql(
        adopted,
        "INSERT INTO users (username, password, email, erased_at) VALUES"
        " ('erased:1', '(erased)', 'erased:1@erased.invalid', '2026-05-01'), ('shell', 'x', 'none', NULL)",
    )
    (kind,) = looked_at(adopted)[0].undecided
    assert kind.what == "shells, which no log-in can prove and no mail reaches"
    assert kind.rows == [(2, None)]


def test_rows_beyond_the_first_are_counted_unless_all_are_asked_for(
    adopted: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sql(adopted, "INSERT INTO notification_preferences SELECT FROM generate_series(1, 25)")
    assert check_command.check(adopted) == 1
    assert "25 rows, id 1, 2, 3, " in (few := capsys.readouterr().out)
    assert "19, 20, and 5 more, which ARGS=--all names: " in few

    monkeypatch.setenv("DATABASE_URL", adopted)
    monkeypatch.setattr("sys.argv", ["check.py", "--all"])
    with pytest.raises(SystemExit) as ended:
        check_command.main()
    assert ended.value.code == 1
    assert "23, 24, 25: " in capsys.readouterr().out


def test_a_look_can_change_nothing(bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = []

    def tables_of(connection: Connection) -> list[Owned]:
        read_only.append(connection.scalar(text("SHOW transaction_read_only")))
        return rights.tables_of(connection)

    monkeypatch.setattr(check_command, "tables_of", tables_of)
    looked_at(bare)
    assert read_only == ["on"]


def test_decisions_are_in_the_order_of_the_guides_tables(bare: str) -> None:
    run_sql(bare, AWKWARD_ROWS)
    tables = [kind.table for kind in looked_at(bare)[0].undecided]
    assert tables == sorted(tables, key=[*guide().tables].index)


def test_who_has_read_enough_gets_no_traceback(bare: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "database.check"],
        cwd=Path(check_command.__file__).parents[1],
        env=os.environ | {"DATABASE_URL": bare},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_make_says_it_too(bare: str) -> None:
    run_sql(bare, GUIDE_ROWS)
    command = ["make", "--old-file=.venv/.ready", "db-check", f"DATABASE_URL={bare}"]
    root = Path(check_command.__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2  # make's own for any failure
    assert "DECIDE  users: usernames equal to an older member's, ignoring case: 1 row, id 2 (like 1): " in done.stdout
    assert "Traceback" not in done.stderr
