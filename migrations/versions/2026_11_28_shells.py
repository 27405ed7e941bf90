"""Rows of `users` that the legacy application made for each uid of the feed are marked as shells, their totals copied.

Forward only: the step is undone by another step, because a downgrade would drop what was written since.
"""

from migrations import online, routines

revision = "shells"
down_revision = "turns_of_the_outbox"

FUNCTIONS = ("is_mailable", "is_shell", "mark_shell")

# A total that no sum comes out right with is left at zero: the feed brings the account's again.
COPY = """
    INSERT INTO wager_accounts (uid, name, total_wager, wager_today, wager_week, wager_month, read_at)
    SELECT uid, username, {totals}, CASE WHEN isfinite(created_at) THEN created_at ELSE 'epoch' END
    FROM batch WHERE uid <> '' ON CONFLICT (uid) DO NOTHING RETURNING id
""".format(
    totals=", ".join(
        f"CASE WHEN {total} < 'NaN' THEN {total} ELSE 0 END"
        for total in ("total_wager", "wager_today", "wager_week", "wager_month")
    )
)


def upgrade() -> None:
    """Add the mark and its trigger, then mark the rows that were there before it."""
    online.add_columns("users", "is_shell boolean DEFAULT false NOT NULL")
    online.change(*(function.create for function in routines.FUNCTIONS if function.name in FUNCTIONS))
    for trigger in routines.TRIGGERS:
        if trigger.name == "mark_shell":
            online.change(trigger.create, locks=["users"])
    online.fill(
        "users",
        "NOT r.is_shell AND r.erased_at IS NULL AND is_shell(r.password, r.email)",
        "UPDATE users r SET is_shell = true FROM batch WHERE r.id = batch.id RETURNING r.id",
        COPY,
    )
