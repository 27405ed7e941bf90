"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled

INSERT_SEEDS = Compiled(
    "wheel.seed_statements.insert_seeds",
    """\
WITH owner AS
(SELECT $4::INTEGER AS id),
active_seed_row AS
(INSERT INTO wheel_seeds (user_id, server_seed, client_seed, created_at, activated_at) SELECT owner.id AS id, CAST($3 AS BYTEA) AS anon_3, CAST(owner.id AS TEXT) AS id__1, $2::TIMESTAMP WITHOUT TIME ZONE AS anon_2, $2::TIMESTAMP WITHOUT TIME ZONE AS anon__1
FROM owner ON CONFLICT (user_id) WHERE activated_at IS NOT NULL AND revealed_at IS NULL DO NOTHING RETURNING wheel_seeds.user_id)
INSERT INTO wheel_seeds (user_id, server_seed, client_seed, created_at) SELECT active_seed_row.user_id, CAST($1 AS BYTEA) AS anon_1, CAST(active_seed_row.user_id AS TEXT) AS user_id__1, $2::TIMESTAMP WITHOUT TIME ZONE AS anon_2
FROM active_seed_row""",
    (
        "upcoming_seed",
        "now",
        "active_seed",
        "owner",
    ),
    commit_in_flight=True,
)

LOCK_ACTIVE_SEED = Compiled(
    "wheel.spin_statements.lock_active_seed",
    """\
WITH caller AS
(SELECT users.id AS id
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $3::INTEGER AND users.id = $4::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $2::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND NOT ($5::BOOLEAN AND users.email_verified IS NOT true) FOR SHARE OF users)
SELECT active.id AS seed_id, active.server_seed, coalesce($1::VARCHAR, active.client_seed) AS client_seed, coalesce($1::VARCHAR, active.client_seed) != CAST(caller.id AS TEXT) AND least((SELECT min(uses.timestamp) AS min_1
FROM wheel_spins AS uses
WHERE uses.user_id = caller.id AND uses.client_seed = coalesce($1::VARCHAR, active.client_seed)), (SELECT min(choices.activated_at) AS min_2
FROM wheel_seeds AS choices
WHERE choices.user_id = caller.id AND choices.chosen_client_seed = coalesce($1::VARCHAR, active.client_seed)), $2::TIMESTAMP WITHOUT TIME ZONE) > active.created_at AS is_members_choice, active.nonce, wheel.id AS version_id, wheel.segments
FROM caller JOIN wheel_seeds AS active ON active.user_id = caller.id JOIN (SELECT wheel_versions.id AS id, wheel_versions.segments AS segments, wheel_versions.in_force_from AS in_force_from, wheel_versions.in_force_from IS NULL OR wheel_versions.in_force_from <= $2::TIMESTAMP WITHOUT TIME ZONE AS is_in_force
FROM wheel_versions
WHERE wheel_versions.in_force_from IS NULL OR wheel_versions.in_force_from <= $2::TIMESTAMP WITHOUT TIME ZONE ORDER BY wheel_versions.id DESC
LIMIT 1) AS wheel ON true
WHERE active.activated_at IS NOT NULL AND active.revealed_at IS NULL FOR UPDATE OF active""",
    (
        "given_client_seed",
        "now",
        "caller_session_id",
        "caller_id",
        "verified_email_required",
    ),
)

RECORD_LOSS = Compiled(
    "wheel.spin_statements.record_loss",
    """\
WITH spin AS
(INSERT INTO wheel_spins (user_id, segment_index, reward_code, timestamp, spin_day, version_id, seed_id, nonce, client_seed) VALUES ($2::INTEGER, $3::INTEGER, $4::VARCHAR, $5::TIMESTAMP WITHOUT TIME ZONE, $6::DATE, $7::INTEGER, $8::INTEGER, $9::INTEGER, $1::VARCHAR) ON CONFLICT (user_id, spin_day) DO NOTHING RETURNING wheel_spins.id, wheel_spins.user_id, wheel_spins.seed_id),
incremented AS
(UPDATE wheel_seeds SET client_seed=$1::VARCHAR, nonce=(wheel_seeds.nonce + 1) FROM spin WHERE wheel_seeds.id = spin.seed_id)
SELECT spin.id
FROM spin""",
    (
        "drawn_client_seed",
        "caller_id",
        "drawn_index",
        "won_code",
        "now",
        "today",
        "drawn_version",
        "drawn_seed",
        "drawn_nonce",
    ),
    commit_in_flight=True,
)

RECORD_WIN = Compiled(
    "wheel.spin_statements.record_win",
    """\
WITH spin AS
(INSERT INTO wheel_spins (user_id, segment_index, reward_code, timestamp, spin_day, version_id, seed_id, nonce, client_seed) VALUES ($2::INTEGER, $3::INTEGER, $4::VARCHAR, $5::TIMESTAMP WITHOUT TIME ZONE, $6::DATE, $7::INTEGER, $8::INTEGER, $9::INTEGER, $1::VARCHAR) ON CONFLICT (user_id, spin_day) DO NOTHING RETURNING wheel_spins.id, wheel_spins.user_id, wheel_spins.seed_id),
incremented AS
(UPDATE wheel_seeds SET client_seed=$1::VARCHAR, nonce=(wheel_seeds.nonce + 1) FROM spin WHERE wheel_seeds.id = spin.seed_id),
code AS
(INSERT INTO bonus_codes (code, code_key, user_id, claimed_at, expires_at, value, spin_id) SELECT $4::VARCHAR AS anon_1, code_key($4::VARCHAR) AS code_key_1, spin.user_id AS user_id, $5::TIMESTAMP WITHOUT TIME ZONE AS anon_2, $10::TIMESTAMP WITHOUT TIME ZONE AS anon_3, $11::NUMERIC(18, 2) AS anon_4, spin.id AS id
FROM spin)
SELECT spin.id
FROM spin""",
    (
        "drawn_client_seed",
        "caller_id",
        "drawn_index",
        "won_code",
        "now",
        "today",
        "drawn_version",
        "drawn_seed",
        "drawn_nonce",
        "code_expires_at",
        "won_value",
    ),
    commit_in_flight=True,
)

SELECT_TODAYS_SPIN = Compiled(
    "wheel.spin_statements.select_todays_spin",
    """\
SELECT wheel_spins.id
FROM wheel_spins
WHERE wheel_spins.user_id = $1::INTEGER AND wheel_spins.spin_day = $2::DATE""",
    (
        "caller_id",
        "today",
    ),
)
