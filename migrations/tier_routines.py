"""The functions and triggers that give a new row of `users` the tiers of its total.

Whoever inserts a member, the legacy application among them: no insert knows of tiers. Later tiers are recorded by the
statements that write totals.
"""

from migrations.declarations import SAFE_PATH, Function, Trigger

# A NaN is above every number. A shell has no tier.
START_TIER = """
BEGIN
    NEW.tier := NULL;
    IF NOT NEW.is_shell AND NEW.total_wager < 'NaN' THEN
        SELECT tier ->> 'name' INTO NEW.tier
        FROM jsonb_array_elements((SELECT tiers FROM tier_versions ORDER BY id DESC LIMIT 1)) tier
        WHERE (tier ->> 'min_wager')::numeric <= NEW.total_wager
        ORDER BY (tier ->> 'min_wager')::numeric DESC LIMIT 1;
    END IF;
    RETURN NEW;
END
"""
RECORD_FIRST_TIERS = """
BEGIN
    INSERT INTO member_tiers (user_id, tier, reached_at, is_silent)
    SELECT NEW.id, tier ->> 'name', NEW.created_at, true
    FROM jsonb_array_elements((SELECT tiers FROM tier_versions ORDER BY id DESC LIMIT 1)) tier
    WHERE (tier ->> 'min_wager')::numeric <= NEW.total_wager
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
"""

FUNCTIONS = tuple(
    Function(name, "", "trigger", "plpgsql", body, is_definer=True, settings=(SAFE_PATH,), callers=())
    for name, body in (("start_tier", START_TIER), ("record_first_tiers", RECORD_FIRST_TIERS))
)
TRIGGERS = (
    # By its name it fires after mark_shell.
    Trigger("users", "start_tier", "BEFORE INSERT", "", "start_tier"),
    Trigger("users", "record_first_tiers", "AFTER INSERT", "(new.tier IS NOT NULL)", "record_first_tiers"),
)
