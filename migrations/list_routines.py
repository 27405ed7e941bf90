"""The functions and triggers that keep what lists are read by: tiers, and participants with their number."""

from migrations.declarations import EVERYBODY, SAFE_PATH, Function, Trigger

# How many characters two texts have in common at their beginnings. A member whose username and e-mail address both
# begin with the text that staff search for must be listed once, and this number tells those members apart.
COMMON_PREFIX_LENGTH = """
    SELECT count(*)::integer FROM generate_series(1, least(length(one), length(other))) n
    WHERE left(one, n) = left(other, n)
"""
# The highest tier of the newest version that a lifetime total reaches; null if there is none.  The legacy application
# and the feed write totals, and know nothing of tiers.  A NaN is above infinity.
SET_TIER = """
BEGIN
    SELECT tier ->> 'name' INTO NEW.tier
    FROM jsonb_array_elements((SELECT tiers FROM tier_versions ORDER BY id DESC LIMIT 1)) tier
    WHERE (tier ->> 'min_wager')::numeric <= NEW.total_wager AND NEW.total_wager < 'Infinity'
    ORDER BY (tier ->> 'min_wager')::numeric DESC LIMIT 1;
    RETURN NEW;
END
"""
# A total that is written at the same time gets its tier by the version before or the new one: it waits for this lock.
SET_TIERS = """
BEGIN
    LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
    WITH newest AS (
        SELECT tier ->> 'name' AS name, (tier ->> 'min_wager')::numeric AS least
        FROM jsonb_array_elements((SELECT tiers FROM tier_versions ORDER BY id DESC LIMIT 1)) tier
    ), bounds AS (
        SELECT name, least, lead(least, 1, 'Infinity') OVER (ORDER BY least) AS above FROM newest
        UNION ALL SELECT NULL, '-Infinity', coalesce(min(least), 'Infinity') FROM newest
    )
    UPDATE users SET tier = bounds.name FROM bounds
    WHERE total_wager >= bounds.least AND total_wager < bounds.above AND tier IS DISTINCT FROM bounds.name;
    RETURN NULL;
END
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
            ("set_tier", SET_TIER),
            ("set_tiers", SET_TIERS),
            ("mark_listed", MARK_LISTED),
            ("mark_listed_of_shell", MARK_LISTED_OF_SHELL),
            ("count_participant", COUNT_PARTICIPANT),
        )
    ),
)
TRIGGERS = (
    Trigger("users", "set_tier", "BEFORE INSERT OR UPDATE OF total_wager", "", "set_tier"),
    Trigger("tier_versions", "set_tiers", "AFTER INSERT OR DELETE OR UPDATE", "", "set_tiers"),
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
