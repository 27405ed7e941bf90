"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled

FIND_LIVE = Compiled(
    "accounts.sessions.find_live",
    """\
SELECT member.id AS user_id, sessions.id AS session_id, member.is_admin AS is_staff, member.last_active IS NULL OR member.last_active <= $1::TIMESTAMP WITHOUT TIME ZONE OR NOT member.is_active OR sessions.expires_at <= $2::TIMESTAMP WITHOUT TIME ZONE AS is_due
FROM sessions JOIN LATERAL (SELECT users.id AS id, users.is_admin AS is_admin, users.is_active AS is_active, users.last_active AS last_active
FROM users
WHERE users.id = sessions.user_id AND users.suspended_at IS NULL
LIMIT 1) AS member ON true
WHERE sessions.token_hash = $3 AND sessions.ended_at IS NULL AND sessions.expires_at > $4::TIMESTAMP WITHOUT TIME ZONE""",
    (
        "active_since",
        "expiring_until",
        "given_hash",
        "now",
    ),
)

RECORD_USE = Compiled(
    "accounts.sessions.record_use",
    """\
WITH used AS
(SELECT users.id AS user_id, sessions.id AS session_id
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE users.id = $3::INTEGER AND sessions.id = $4::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $2::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL),
record_activity AS
(UPDATE users SET last_active=$2::TIMESTAMP WITHOUT TIME ZONE, is_active=true WHERE users.id IN (SELECT users.id
FROM users JOIN used ON used.user_id = users.id
WHERE users.last_active IS NULL OR users.last_active <= $5::TIMESTAMP WITHOUT TIME ZONE OR NOT users.is_active FOR NO KEY UPDATE OF users SKIP LOCKED))
UPDATE sessions SET expires_at=$1::TIMESTAMP WITHOUT TIME ZONE WHERE sessions.id IN (SELECT sessions.id
FROM sessions JOIN used ON used.session_id = sessions.id
WHERE sessions.expires_at <= $6::TIMESTAMP WITHOUT TIME ZONE FOR NO KEY UPDATE OF sessions SKIP LOCKED)""",
    (
        "session_expires_at",
        "now",
        "caller_id",
        "caller_session_id",
        "active_since",
        "expiring_until",
    ),
)

SELECT_ME = Compiled(
    "accounts.profiles.select_me",
    """\
WITH ladder AS
(SELECT anon_1.position AS position, anon_1.tier ->> 'name' AS name, CAST(anon_1.tier ->> 'min_wager' AS NUMERIC) AS min_wager, coalesce(CAST(anon_1.tier ->> 'reward' AS NUMERIC), 0) AS reward
FROM jsonb_array_elements((SELECT tier_versions.tiers
FROM tier_versions ORDER BY tier_versions.id DESC
LIMIT 1)) WITH ORDINALITY AS anon_1(tier, position)),
caller AS
(SELECT users.id AS id
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $1::INTEGER AND users.id = $2::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $3::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL AND users.erased_at IS NULL)
SELECT users.id, users.username, users.email, coalesce(users.email_verified, false) AS email_verified, users.is_admin AS is_staff, users.bio, users.profile_color, users.verified, users.uid, users.hide_name, users.total_wager, users.wager_today, users.wager_week, users.wager_month, users.tier, (SELECT ladder.name
FROM ladder
WHERE ladder.position = coalesce(array_position((SELECT array_agg(ladder.name ORDER BY ladder.position) AS array_agg_1
FROM ladder), users.tier), 0) + 1) AS next_tier, CASE WHEN ((SELECT ladder.min_wager
FROM ladder
WHERE ladder.position = coalesce(array_position((SELECT array_agg(ladder.name ORDER BY ladder.position) AS array_agg_1
FROM ladder), users.tier), 0) + 1) IS NOT NULL) THEN greatest((SELECT ladder.min_wager
FROM ladder
WHERE ladder.position = coalesce(array_position((SELECT array_agg(ladder.name ORDER BY ladder.position) AS array_agg_1
FROM ladder), users.tier), 0) + 1) - users.total_wager, 0) END AS missing, users.excluded_until, users.excluded_permanently, users.created_at, users.last_active
FROM users JOIN caller ON caller.id = users.id""",
    (
        "caller_session_id",
        "caller_id",
        "now",
    ),
)
