"""The functions and the triggers that find what stands in no block of a leaderboard's order, and in no feed."""

from migrations.declarations import SAFE_PATH, Function, Trigger

# The platform writes `noted_rank` with each rank, so another rank is the legacy application's.
NOTE_RANK = """
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.noted_rank := NEW.rank;
        NEW.unplaced_rank := NEW.rank;
        RETURN NEW;
    END IF;
    UPDATE wager_race_participants SET noted_rank = NEW.rank, unplaced_rank = NEW.rank, is_placed = false
    WHERE id = NEW.id;
    RETURN NULL;
END
"""
UNPLACE_ACCOUNT = """
BEGIN
    NEW.is_placed := false;
    NEW.unplaced_total := NEW.total_wager;
    RETURN NEW;
END
"""
# A whole feed that lacks the uid of a member sets their period figures to 0, also if no feed ever had it.
NOTE_UNREAD_MEMBER = """
BEGIN
    INSERT INTO unread_members (user_id)
    SELECT NEW.id WHERE NOT EXISTS (SELECT FROM wager_accounts WHERE uid = NEW.uid)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
"""
FUNCTIONS = tuple(
    Function(name, "", "trigger", "plpgsql", body, is_definer=True, settings=(SAFE_PATH,), callers=())
    for name, body in (
        ("note_rank", NOTE_RANK),
        ("unplace_account", UNPLACE_ACCOUNT),
        ("note_unread_member", NOTE_UNREAD_MEMBER),
    )
)
TRIGGERS = (
    Trigger("wager_race_participants", "note_first_rank", "BEFORE INSERT", "(new.rank IS NOT NULL)", "note_rank"),
    # Not BEFORE: that would lock each row that an ingest updates once more.
    Trigger(
        "wager_race_participants",
        "note_rank",
        "AFTER UPDATE OF rank",
        "(new.rank IS DISTINCT FROM new.noted_rank)",
        "note_rank",
    ),
    # Whatever lists an account updates this column. An ingest does not.
    Trigger("wager_accounts", "unplace_account", "BEFORE UPDATE OF is_listed", "", "unplace_account"),
    Trigger("users", "note_unread_of_new", "AFTER INSERT", "(new.uid IS NOT NULL)", "note_unread_member"),
    Trigger(
        "users",
        "note_unread_of_changed",
        "AFTER UPDATE OF uid",
        "((new.uid IS NOT NULL) AND (old.uid IS DISTINCT FROM new.uid))",
        "note_unread_member",
    ),
)
