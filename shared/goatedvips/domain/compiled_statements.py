"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled

SELECT_REASONS = Compiled(
    "access.select_reasons",
    """\
SELECT sessions.ended_at IS NULL AND sessions.expires_at > $1::TIMESTAMP WITHOUT TIME ZONE AS live, users.suspended_at IS NOT NULL AS suspended, users.is_admin, users.excluded_permanently OR users.excluded_until IS NOT NULL AS excluded, $2::BOOLEAN AND users.email_verified IS NOT true AS unverified
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $3::INTEGER AND users.id = $4::INTEGER""",
    (
        "now",
        "verified_email_required",
        "caller_session_id",
        "caller_id",
    ),
)

CLAIM_FOR_MEMBER = Compiled(
    "idempotency_statements.claim_for_member",
    """\
WITH caller AS
(SELECT users.id AS id
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $5::INTEGER AND users.id = $6::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $4::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL AND users.erased_at IS NULL FOR KEY SHARE OF users)
INSERT INTO idempotency_records (user_id, request_hash, key, body_hash, created_at) SELECT caller.id, $1 AS anon_1, $2 AS anon_2, $3 AS anon_3, $4::TIMESTAMP WITHOUT TIME ZONE AS anon_4
FROM caller ON CONFLICT (user_id, request_hash, key) DO UPDATE SET body_hash = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN excluded.body_hash ELSE idempotency_records.body_hash END, created_at = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN excluded.created_at ELSE idempotency_records.created_at END, status = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN NULL ELSE idempotency_records.status END, answer = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN NULL ELSE idempotency_records.answer END RETURNING idempotency_records.id, idempotency_records.body_hash, idempotency_records.status, idempotency_records.answer""",
    (
        "given_request_hash",
        "given_key",
        "given_body_hash",
        "now",
        "caller_session_id",
        "caller_id",
        "kept_since",
    ),
)

CLAIM_FOR_STAFF = Compiled(
    "idempotency_statements.claim_for_staff",
    """\
WITH caller AS
(SELECT users.id AS id
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $5::INTEGER AND users.id = $6::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $4::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL AND users.erased_at IS NULL AND users.is_admin)
INSERT INTO idempotency_records (user_id, request_hash, key, body_hash, created_at) SELECT caller.id, $1 AS anon_1, $2 AS anon_2, $3 AS anon_3, $4::TIMESTAMP WITHOUT TIME ZONE AS anon_4
FROM caller ON CONFLICT (user_id, request_hash, key) DO UPDATE SET body_hash = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN excluded.body_hash ELSE idempotency_records.body_hash END, created_at = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN excluded.created_at ELSE idempotency_records.created_at END, status = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN NULL ELSE idempotency_records.status END, answer = CASE WHEN (idempotency_records.created_at <= $7::TIMESTAMP WITHOUT TIME ZONE) THEN NULL ELSE idempotency_records.answer END RETURNING idempotency_records.id, idempotency_records.body_hash, idempotency_records.status, idempotency_records.answer""",
    (
        "given_request_hash",
        "given_key",
        "given_body_hash",
        "now",
        "caller_session_id",
        "caller_id",
        "kept_since",
    ),
)

STORE_ANSWER = Compiled(
    "idempotency_statements.store_answer",
    """\
UPDATE idempotency_records SET status=$1::SMALLINT, answer=$2::VARCHAR WHERE idempotency_records.id = $3::BIGINT RETURNING idempotency_records.id""",
    (
        "answer_status",
        "answer_body",
        "record_id",
    ),
    commit_enclosing=True,
)
