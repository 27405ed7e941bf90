"""The step that records the tiers of members: what it writes for adopted ones, and for those that come afterwards."""

from sqlalchemy import Engine, text

from migrations.upgrade import upgrade
from tests.migrations.test_upgrade_in_use import upgrade_to
from tests.support.databases import run_sql

HASH = "repeat('a', 128) || '.salt'"
ROWS = f"""
INSERT INTO users (id, username, email, password, total_wager) VALUES
    (1, 'new', 'new@example.com', {HASH}, 0),
    (2, 'rich', 'rich@example.com', {HASH}, 50000),
    (3, 'odd', 'odd@example.com', {HASH}, 'NaN'),
    (4, 'below', 'below@example.com', {HASH}, -1),
    (5, 'shell', 'shell@placeholder.com', 'none', 50000);
"""
# As the version before had them: they wrote the tier with each total.
OLD_TRIGGERS = """
CREATE FUNCTION set_tier() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.tier := ''Tin''; RETURN NEW; END';
CREATE FUNCTION set_tiers() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER set_tier BEFORE INSERT OR UPDATE OF total_wager ON users FOR EACH ROW EXECUTE FUNCTION set_tier();
CREATE TRIGGER set_tiers AFTER INSERT ON tier_versions FOR EACH ROW EXECUTE FUNCTION set_tiers();
UPDATE users SET total_wager = total_wager WHERE id = 2;
"""
# By the legacy application, which knows neither tiers nor the column.
LATER = f"""
INSERT INTO users (id, username, email, password, total_wager) VALUES
    (6, 'later', 'later@example.com', {HASH}, 10000), (7, 'nan', 'nan@example.com', {HASH}, 'NaN'),
    (8, 'empty', 'empty@placeholder.com', 'none', 10000);
UPDATE users SET total_wager = 9 WHERE id IN (2, 6);
"""
SILVER = ["Bronze", "Copper", "Silver"]


def tiers(database: Engine) -> dict[int, tuple[str | None, list[str] | None]]:
    """The tier of each row of users, and the tiers that are recorded for it."""
    rows = text(
        "SELECT u.id, u.tier, array_agg(m.tier ORDER BY m.tier) FILTER (WHERE m.is_silent AND m.reward = 0)"
        " FROM users u LEFT JOIN member_tiers m ON m.user_id = u.id GROUP BY u.id"
    )
    with database.connect() as connection:
        return {row[0]: (row[1], row[2]) for row in connection.execute(rows)}


def test_tiers_that_totals_have_passed_are_recorded_silently(guide_url: str, database: Engine) -> None:
    run_sql(guide_url, ROWS)
    upgrade_to(guide_url, "preferences_and_inbox")
    run_sql(guide_url, OLD_TRIGGERS)
    upgrade(guide_url)
    adopted = {
        1: ("Copper", ["Copper"]),
        2: ("Silver", SILVER),
        3: (None, None),
        4: (None, None),
        5: (None, None),
    }
    assert tiers(database) == adopted
    run_sql(guide_url, LATER)
    later = {6: ("Bronze", ["Bronze", "Copper"]), 7: (None, None), 8: (None, None)}
    assert tiers(database) == adopted | later
    upgrade(guide_url)
    assert tiers(database) == adopted | later
