"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled

CLAIM_CODE = Compiled(
    "codes.claim_statements.claim_code",
    """\
WITH caller AS
(SELECT users.id AS id, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND NOT ($3::BOOLEAN AND users.email_verified IS NOT true) AS may_play
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $4::INTEGER AND users.id = $2::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $1::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL AND users.erased_at IS NULL FOR SHARE OF users),
found AS
(SELECT (SELECT attempts.attempted_at + make_interval(secs=>600.0) AS anon_3
FROM attempts
WHERE attempts.kind = 'claim' AND attempts.subject = CAST($2::INTEGER AS VARCHAR) AND attempts.attempted_at > $1::TIMESTAMP WITHOUT TIME ZONE - make_interval(secs=>600.0) AND attempts.attempted_at <= $1::TIMESTAMP WITHOUT TIME ZONE + make_interval(secs=>60.0) ORDER BY attempts.attempted_at DESC
LIMIT 1 OFFSET 9) AS opens_at, bonus_codes.id AS code_id, bonus_codes.code AS code, bonus_codes.value AS value, bonus_codes.currency AS currency, bonus_codes.expires_at AS expires_at, bonus_codes.spin_id AS spin_id, (bonus_codes.id IS NULL) IS NOT true AND (bonus_codes.revoked_at IS NOT NULL) IS NOT true AND (bonus_codes.starts_at > $1::TIMESTAMP WITHOUT TIME ZONE) IS NOT true AND (bonus_codes.expires_at <= $1::TIMESTAMP WITHOUT TIME ZONE) IS NOT true AND (bonus_codes.claims >= bonus_codes.max_claims OR bonus_codes.is_used AND bonus_codes.claims = 0) IS NOT true AND (bonus_codes.user_id != $2::INTEGER) IS NOT true AS is_claimable, code_claims.id AS claim_id, code_claims.claimed_at AS claimed_at
FROM caller LEFT OUTER JOIN bonus_codes ON bonus_codes.code_key = nullif(code_key($5), '') LEFT OUTER JOIN code_claims ON code_claims.code_id = bonus_codes.id AND code_claims.user_id = $2::INTEGER
WHERE caller.may_play OR bonus_codes.spin_id IS NOT NULL AND bonus_codes.user_id = $2::INTEGER),
claim AS
(INSERT INTO code_claims (code_id, user_id, claimed_at) SELECT found.code_id AS code_id, $2::INTEGER AS anon_2, $1::TIMESTAMP WITHOUT TIME ZONE AS anon_1
FROM found
WHERE found.opens_at IS NULL AND found.claim_id IS NULL AND found.is_claimable ON CONFLICT (code_id, user_id) DO NOTHING RETURNING code_claims.id, code_claims.code_id, code_claims.user_id, code_claims.claimed_at),
grant_each AS
(INSERT INTO rewards (user_id, source_id, amount, currency, source_type, created_at) SELECT each_rewards.user_id AS user_id, each_rewards.source_id AS source_id, each_rewards.amount AS amount, each_rewards.currency AS currency, each_rewards.source_type AS source_type, $1::TIMESTAMP WITHOUT TIME ZONE AS anon_1
FROM (SELECT claim.user_id AS user_id, coalesce(found.spin_id, found.code_id) AS source_id, found.value AS amount, found.currency AS currency, CASE WHEN (found.spin_id IS NULL) THEN 'code' ELSE 'spin' END AS source_type
FROM claim JOIN found ON true
WHERE found.value IS NOT NULL) AS each_rewards RETURNING rewards.id),
count_claim AS
(UPDATE bonus_codes SET user_id=CASE WHEN (bonus_codes.max_claims = 1) THEN $2::INTEGER ELSE bonus_codes.user_id END, claimed_at=CASE WHEN (bonus_codes.claims = 0) THEN $1::TIMESTAMP WITHOUT TIME ZONE ELSE bonus_codes.claimed_at END, is_used=true, claims=(bonus_codes.claims + 1) WHERE bonus_codes.id = (SELECT claim.code_id
FROM claim) AND (bonus_codes.revoked_at IS NOT NULL) IS NOT true AND (bonus_codes.claims >= bonus_codes.max_claims OR bonus_codes.is_used AND bonus_codes.claims = 0) IS NOT true RETURNING bonus_codes.id)
SELECT coalesce(claim.id, found.claim_id) AS id, found.code, found.value, found.currency, coalesce(claim.claimed_at, found.claimed_at) AS claimed_at, found.expires_at, claim.id IS NOT NULL AS created, found.opens_at, CASE WHEN (claim.id IS NOT NULL) THEN 1 / (SELECT count(*) AS count_1
FROM count_claim) END AS aborts_unless_counted
FROM found LEFT OUTER JOIN claim ON true""",
    (
        "now",
        "caller_id",
        "verified_email_required",
        "caller_session_id",
        "typed",
    ),
    commit_in_flight=True,
)

INSERT_FAILED_CLAIM = Compiled(
    "codes.claim_statements.insert_failed_claim",
    """\
INSERT INTO attempts (kind, subject, address, attempted_at) SELECT 'claim' AS anon_1, CAST($1::INTEGER AS VARCHAR) AS anon_2, $2::VARCHAR AS anon_3, $3::TIMESTAMP WITHOUT TIME ZONE AS anon_4""",
    (
        "caller_id",
        "client_network",
        "now",
    ),
    commit_in_flight=True,
)

SELECT_REASON = Compiled(
    "codes.claim_statements.select_reason",
    """\
SELECT code_claims.id, bonus_codes.code, bonus_codes.value, bonus_codes.currency, code_claims.claimed_at, bonus_codes.expires_at, false AS created, CASE WHEN (bonus_codes.id IS NULL) THEN 'absent' WHEN (bonus_codes.revoked_at IS NOT NULL) THEN 'revoked' WHEN (bonus_codes.starts_at > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'not_started' WHEN (bonus_codes.expires_at <= $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'expired' WHEN (bonus_codes.claims >= bonus_codes.max_claims OR bonus_codes.is_used AND bonus_codes.claims = 0) THEN 'exhausted' WHEN (bonus_codes.user_id != $2::INTEGER) THEN 'anothers' END AS reason
FROM (SELECT 1 AS anon_1) AS one_row LEFT OUTER JOIN bonus_codes ON bonus_codes.code_key = nullif(code_key($3), '') LEFT OUTER JOIN code_claims ON code_claims.code_id = bonus_codes.id AND code_claims.user_id = $2::INTEGER""",
    (
        "now",
        "caller_id",
        "typed",
    ),
    commit_in_flight=True,
)
