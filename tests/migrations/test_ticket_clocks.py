"""The step that adds the clocks of tickets: what it writes into adopted ones."""

from sqlalchemy import Engine, text

from migrations.upgrade import upgrade
from tests.migrations.test_upgrade_in_use import upgrade_to
from tests.support.databases import run_sql

ROWS = """
INSERT INTO users (username, email, password) VALUES ('goat', 'goat@example.com', '');
INSERT INTO support_tickets (id, user_id, subject, description, status, created_at, updated_at) VALUES
    (1, 1, 'unanswered', 'd', 'open', '2026-05-01', '2026-05-02'),
    (2, 1, 'answered', 'd', 'in_progress', '2026-05-01', '2026-05-09'),
    (3, 1, 'asked again', 'd', 'in_progress', '2026-05-01', '2026-05-09'),
    (4, 1, 'closed', 'd', 'closed', '2026-05-01', '2026-05-08'),
    (5, 1, 'no instants', 'd', 'open', 'infinity', 'infinity'),
    (6, 1, 'a note only', 'd', 'open', '2026-05-01', '2026-05-02');
INSERT INTO ticket_messages (ticket_id, user_id, message, is_staff_reply, is_internal, created_at) VALUES
    (1, 1, 'Hello?', false, false, '2026-05-02'),
    (2, 1, 'Hello?', false, false, '2026-05-02'), (2, NULL, 'Yes.', true, false, '2026-05-03'),
    (2, NULL, 'A note', true, true, '2026-05-04'),
    (3, NULL, 'Yes.', true, false, '2026-05-03'), (3, 1, 'But?', false, false, '2026-05-04'),
    (3, 1, 'Hello?', false, false, '2026-05-05'),
    (4, NULL, 'Done.', true, false, '2026-05-03'),
    (6, NULL, 'A note', true, true, '2026-05-04');
"""
MAY = "2026-05-{:02} 00:00:00".format
EPOCH = "1970-01-01 00:00:00"


def test_an_adopted_ticket_waits_since_the_first_message_that_staff_have_not_answered(
    guide_url: str, database: Engine
) -> None:
    upgrade_to(guide_url, "settled_races")
    run_sql(guide_url, ROWS)
    upgrade(guide_url)
    clocks = "SELECT waiting_since::text, staff_replied_at::text, closed_at::text FROM support_tickets ORDER BY id"
    with database.connect() as connection:
        assert [tuple(row) for row in connection.execute(text(clocks))] == [
            (MAY(1), None, None),
            (None, MAY(3), None),
            (MAY(4), None, None),
            (None, MAY(3), MAY(8)),
            (EPOCH, None, None),
            (MAY(1), None, None),
        ]
