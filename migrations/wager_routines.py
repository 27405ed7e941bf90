"""The functions and the triggers that link the accounts of the affiliate feed to members."""

from migrations.declarations import SAFE_PATH, Function, Trigger

# A trigger, because a uid is written in many places: link decisions, staff's changes, erasures, the legacy application.
# It locks the account after the member, as ingest does.
LINK_WAGER_ACCOUNT = """
BEGIN
    UPDATE wager_accounts SET user_id = NULL WHERE user_id = NEW.id AND (uid IS DISTINCT FROM NEW.uid OR NEW.is_shell);
    UPDATE wager_accounts SET user_id = NEW.id
    WHERE uid = NEW.uid AND NOT NEW.is_shell AND user_id IS DISTINCT FROM NEW.id;
    RETURN NULL;
END
"""
# What the member wagers counts from `opening` on, the highest total so far. Ingest, which links an account that it
# inserts, may bring a reading in the same update: only the row before it has the highest total of the time before.
FOLLOW_LINK = """
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.user_id IS NOT NULL THEN
        DELETE FROM link_periods
        WHERE account_id = OLD.id AND user_id = OLD.user_id AND final IS NULL AND OLD.highest IS NULL;
        UPDATE link_periods SET final = OLD.highest, opening = coalesce(opening, (
            SELECT total - lowered FROM wager_readings WHERE account_id = OLD.id ORDER BY requested_at LIMIT 1
        ), OLD.highest)
        WHERE account_id = OLD.id AND user_id = OLD.user_id AND final IS NULL;
    END IF;
    IF NEW.user_id IS NOT NULL THEN
        INSERT INTO link_periods (user_id, account_id, opening)
        VALUES (NEW.user_id, NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.highest ELSE NEW.highest END);
    END IF;
    UPDATE wager_accounts a SET is_listed = EXISTS (
        SELECT FROM users u WHERE u.id = NEW.user_id
        AND u.suspended_at IS NULL AND NOT u.excluded_permanently AND u.excluded_until IS NULL
    ) WHERE a.id = NEW.id;
    RETURN NULL;
END
"""
LIST_ACCOUNT = """
BEGIN
    UPDATE wager_accounts
    SET is_listed = NEW.suspended_at IS NULL AND NOT NEW.excluded_permanently AND NEW.excluded_until IS NULL
    WHERE user_id = NEW.id;
    RETURN NULL;
END
"""


def _trigger_function(name: str, body: str) -> Function:
    return Function(name, "", "trigger", "plpgsql", body, is_definer=True, settings=(SAFE_PATH,), callers=())


FUNCTIONS = (
    _trigger_function("link_wager_account", LINK_WAGER_ACCOUNT),
    _trigger_function("follow_link", FOLLOW_LINK),
    _trigger_function("list_account", LIST_ACCOUNT),
)
TRIGGERS = (
    Trigger("users", "link_account_of_new", "AFTER INSERT", "(new.uid IS NOT NULL)", "link_wager_account"),
    Trigger(
        "users",
        "link_account_of_changed",
        "AFTER UPDATE OF uid, password, email, is_shell",
        "((old.uid IS DISTINCT FROM new.uid) OR (old.is_shell IS DISTINCT FROM new.is_shell))",
        "link_wager_account",
    ),
    Trigger(
        "users",
        "list_account",
        "AFTER UPDATE OF suspended_at, excluded_until, excluded_permanently",
        "((old.suspended_at IS DISTINCT FROM new.suspended_at)"
        " OR (old.excluded_until IS DISTINCT FROM new.excluded_until)"
        " OR (old.excluded_permanently IS DISTINCT FROM new.excluded_permanently))",
        "list_account",
    ),
    Trigger("wager_accounts", "follow_first_link", "AFTER INSERT", "(new.user_id IS NOT NULL)", "follow_link"),
    # Not BEFORE: that would lock each row that an ingest updates once more.
    Trigger(
        "wager_accounts",
        "follow_link",
        "AFTER UPDATE OF user_id",
        "(old.user_id IS DISTINCT FROM new.user_id)",
        "follow_link",
    ),
)
