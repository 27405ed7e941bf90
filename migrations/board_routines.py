"""The functions and the triggers that find what stands in no block of a leaderboard's order."""

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
FUNCTIONS = tuple(
    Function(name, "", "trigger", "plpgsql", body, is_definer=True, settings=(SAFE_PATH,), callers=())
    for name, body in (("note_rank", NOTE_RANK), ("unplace_account", UNPLACE_ACCOUNT))
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
)
