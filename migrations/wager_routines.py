"""The function and the triggers that link the accounts of the affiliate feed to members."""

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

FUNCTIONS = (
    Function(
        "link_wager_account",
        "",
        "trigger",
        "plpgsql",
        LINK_WAGER_ACCOUNT,
        is_definer=True,
        settings=(SAFE_PATH,),
        callers=(),
    ),
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
)
