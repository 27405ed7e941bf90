"""The functions and triggers that keep what lists are read by: participants and their number."""

from migrations.declarations import EVERYBODY, SAFE_PATH, Function, Trigger

# How many characters two texts have in common at their beginnings. A member whose username and e-mail address both
# begin with the text that staff search for must be listed once, and this number tells those members apart.
COMMON_PREFIX_LENGTH = """
    SELECT count(*)::integer FROM generate_series(1, least(length(one), length(other))) n
    WHERE left(one, n) = left(other, n)
"""
MARK_LISTED = """
BEGIN
    NEW.is_listed := NEW.member_key IS NOT NULL
        AND NOT EXISTS (SELECT FROM users WHERE id = NEW.member_key AND is_shell);
    RETURN NEW;
END
"""
MARK_LISTED_OF_SHELL = """
BEGIN
    UPDATE wager_race_participants SET member_key = member_key WHERE user_id = NEW.id AND member_key IS NOT NULL;
    RETURN NULL;
END
"""
# Inserts only: members who join the same race at once do not wait for each other, as they would for a counter's row.
COUNT_PARTICIPANT = """
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.race_id, OLD.is_listed) IS NOT DISTINCT FROM (NEW.race_id, NEW.is_listed) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.is_listed AND OLD.race_id IS NOT NULL THEN
        INSERT INTO participant_changes (race_id, change) VALUES (OLD.race_id, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.is_listed AND NEW.race_id IS NOT NULL THEN
        INSERT INTO participant_changes (race_id, change) VALUES (NEW.race_id, 1);
    END IF;
    RETURN NULL;
END
"""

FUNCTIONS = (
    Function(
        "common_prefix_length",
        "one text, other text",
        "integer",
        "sql",
        COMMON_PREFIX_LENGTH,
        "IMMUTABLE PARALLEL SAFE",
        # The legacy application's inserts execute it too, in an index.
        callers=(EVERYBODY,),
    ),
    *(
        Function(name, "", "trigger", "plpgsql", body, is_definer=True, settings=(SAFE_PATH,), callers=())
        for name, body in (
            ("mark_listed", MARK_LISTED),
            ("mark_listed_of_shell", MARK_LISTED_OF_SHELL),
            ("count_participant", COUNT_PARTICIPANT),
        )
    ),
)
TRIGGERS = (
    Trigger(
        "wager_race_participants",
        "mark_listed",
        "BEFORE INSERT OR UPDATE OF user_id, member_key",
        "",
        "mark_listed",
    ),
    Trigger(
        "users",
        "mark_listed_of_shell",
        "AFTER UPDATE OF password, email, is_shell",
        "(old.is_shell IS DISTINCT FROM new.is_shell)",
        "mark_listed_of_shell",
    ),
    Trigger(
        "wager_race_participants",
        "count_participant",
        "AFTER INSERT OR DELETE OR UPDATE OF race_id, user_id, member_key",
        "",
        "count_participant",
    ),
    Trigger(
        "users",
        "extend_given_up",
        "AFTER UPDATE OF excluded_until, excluded_permanently",
        "(new.excluded_permanently OR (new.excluded_until IS NOT NULL))",
        "extend_given_up",
    ),
)
