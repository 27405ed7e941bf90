"""The step that adds payouts: which rows it takes out of the ledger."""

from sqlalchemy import Engine, text

from migrations.upgrade import upgrade
from tests.migrations.test_upgrade_in_use import upgrade_to
from tests.support.databases import run_sql

# Before the step a win's row was written with the spin..
ROWS = """
INSERT INTO users (username, email, password) VALUES ('goat', 'goat@example.com', '');
INSERT INTO wheel_spins (id, user_id, segment_index) SELECT n, 1, 0 FROM generate_series(1, 12) AS n;
INSERT INTO bonus_codes (code, user_id, value, expires_at, spin_id, claims)
    SELECT 'WIN' || n, 1, 2, CASE WHEN n % 2 = 0 THEN '2027-01-01'::timestamp ELSE '2026-01-01' END, n, (n % 3 = 0)::int
    FROM generate_series(1, 11) AS n;
INSERT INTO bonus_codes (id, code, value, expires_at, claims) VALUES (1001, 'ISSUED', 3, '2027-01-01', 0);
INSERT INTO rewards (user_id, source_type, source_id, amount, created_at)
    SELECT 1, 'spin', n, 2, '2026-05-01' FROM generate_series(1, 12) AS n;
INSERT INTO rewards (user_id, source_type, source_id, amount, created_at)
    VALUES (1, 'code', 1, 3, '2026-05-01'), (1, 'race', 2, 9, '2026-05-01')
"""


def test_only_rows_of_wins_that_nobody_claimed_leave_the_ledger(guide_url: str, database: Engine) -> None:
    upgrade_to(guide_url, "figures")
    run_sql(guide_url, ROWS)
    ledger = text("SELECT source_type, source_id, amount::int FROM rewards ORDER BY id")
    with database.connect() as connection:
        before = [tuple(row) for row in connection.execute(ledger)]
    upgrade(guide_url)
    claimed = {3, 6, 9}
    without_code = {12}
    expected = [row for row in before if row[0] != "spin" or row[1] in claimed | without_code]
    assert len(expected) == 6
    with database.connect() as connection:
        assert [tuple(row) for row in connection.execute(ledger)] == expected
        assert connection.scalar(text("SELECT count(*) FROM bonus_codes")) == 12, "the codes can still be claimed"
