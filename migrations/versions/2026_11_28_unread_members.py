"""The members whose uid was in no feed when they got it, so that an ingest need not look for them in all of `users`.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import board_routines, online

revision = "unread_members"
down_revision = "boards_in_blocks"

UNREAD_MEMBERS = """
CREATE TABLE IF NOT EXISTS unread_members (
    user_id integer CONSTRAINT unread_members_pkey PRIMARY KEY
        CONSTRAINT unread_members_user_id_users_id_fk REFERENCES users (id) ON DELETE CASCADE
)
"""


def upgrade() -> None:
    """Add the table and its triggers, and find the members whose uid no feed has had."""
    online.change(UNREAD_MEMBERS, locks=["users"])
    online.change(*(function.create for function in board_routines.FUNCTIONS))
    for trigger in board_routines.TRIGGERS:
        if trigger.function == "note_unread_member":
            online.change(trigger.create, locks=[trigger.table])
    online.fill(
        "users",
        "r.uid IS NOT NULL AND NOT r.is_shell"
        " AND NOT EXISTS (SELECT FROM wager_accounts a WHERE a.uid = r.uid)"
        " AND NOT EXISTS (SELECT FROM unread_members m WHERE m.user_id = r.id)",
        "INSERT INTO unread_members (user_id) SELECT id FROM batch ON CONFLICT DO NOTHING RETURNING user_id",
    )
