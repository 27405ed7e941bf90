"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled

SELECT_FIRST_PAGE = Compiled(
    "races.leaderboard_statements.select_first_page",
    """\
SELECT page.id, page.place, page.rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.total_wager, (SELECT feeds.requested_at
FROM feeds
WHERE feeds.id = wager_races.board_feed_id) AS as_of, wager_races.start_date, wager_races.end_date, wager_races.settled_at, wager_races.cancelled_at
FROM wager_races LEFT OUTER JOIN ((SELECT row.id AS id, row.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, row.rank AS rank, row.total_wager AS total_wager, coalesce(CAST(row.rank AS BIGINT), 2147483648) AS place
FROM (SELECT block.last_rank AS last_rank, block.last_id AS last_id, anon_1.place AS place, anon_1.id AS id
FROM (SELECT race_board_blocks.race_id AS race_id, race_board_blocks.last_rank AS last_rank, race_board_blocks.last_id AS last_id, race_board_blocks.participant_ids AS participant_ids
FROM race_board_blocks
WHERE race_board_blocks.race_id = $1::INTEGER ORDER BY race_board_blocks.last_rank, race_board_blocks.last_id
LIMIT 3) AS block JOIN unnest(block.participant_ids) WITH ORDINALITY AS anon_1(id, place) ON true ORDER BY block.last_rank, block.last_id, anon_1.place
LIMIT ALL OFFSET 0) AS placed JOIN LATERAL (SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, wager_race_participants.user_id AS user_id, wager_race_participants.total_wager AS total_wager, wager_race_participants.rank AS rank, wager_race_participants.joined_at AS joined_at, wager_race_participants.updated_at AS updated_at, wager_race_participants.wager_history AS wager_history, wager_race_participants.member_key AS member_key, wager_race_participants.is_listed AS is_listed, wager_race_participants.account_id AS account_id, wager_race_participants.base AS base, wager_race_participants.is_new AS is_new, wager_race_participants.carried_over AS carried_over, wager_race_participants.disqualified_at AS disqualified_at, wager_race_participants.end_total AS end_total, wager_race_participants.unranked_reason AS unranked_reason, wager_race_participants.is_placed AS is_placed, wager_race_participants.noted_rank AS noted_rank, wager_race_participants.unplaced_rank AS unplaced_rank
FROM wager_race_participants
WHERE wager_race_participants.id = placed.id AND wager_race_participants.is_placed AND wager_race_participants.is_listed
LIMIT ALL OFFSET 0) AS row ON true LEFT OUTER JOIN users ON users.id = row.user_id
WHERE true ORDER BY placed.last_rank, placed.last_id, placed.place
LIMIT $2::BIGINT) UNION ALL (SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, wager_race_participants.rank AS rank, wager_race_participants.total_wager AS total_wager, coalesce(CAST(wager_race_participants.rank AS BIGINT), 2147483648) AS place
FROM wager_race_participants LEFT OUTER JOIN users ON users.id = wager_race_participants.user_id
WHERE wager_race_participants.race_id = $1::INTEGER AND wager_race_participants.is_listed AND NOT wager_race_participants.is_placed ORDER BY wager_race_participants.unplaced_rank, wager_race_participants.id
LIMIT $2::BIGINT)) AS page ON page.race_id = wager_races.id
WHERE wager_races.id = $1::INTEGER ORDER BY page.place, page.id
LIMIT $2::BIGINT""",
    (
        "race_id",
        "page_rows",
    ),
)

SELECT_LATER_PAGE = Compiled(
    "races.leaderboard_statements.select_later_page",
    """\
SELECT page.id, page.place, page.rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.total_wager, (SELECT feeds.requested_at
FROM feeds
WHERE feeds.id = wager_races.board_feed_id) AS as_of, wager_races.start_date, wager_races.end_date, wager_races.settled_at, wager_races.cancelled_at
FROM wager_races LEFT OUTER JOIN ((SELECT row.id AS id, row.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, row.rank AS rank, row.total_wager AS total_wager, coalesce(CAST(row.rank AS BIGINT), 2147483648) AS place
FROM (SELECT block.last_rank AS last_rank, block.last_id AS last_id, anon_1.place AS place, anon_1.id AS id
FROM (SELECT race_board_blocks.race_id AS race_id, race_board_blocks.last_rank AS last_rank, race_board_blocks.last_id AS last_id, race_board_blocks.participant_ids AS participant_ids
FROM race_board_blocks
WHERE race_board_blocks.race_id = $1::INTEGER AND (race_board_blocks.last_rank, race_board_blocks.last_id) > ($2::BIGINT, $3::BIGINT) ORDER BY race_board_blocks.last_rank, race_board_blocks.last_id
LIMIT 3) AS block JOIN unnest(block.participant_ids) WITH ORDINALITY AS anon_1(id, place) ON true
WHERE anon_1.place > coalesce(array_position(CAST(block.participant_ids AS BIGINT[]), $3::BIGINT), 0) ORDER BY block.last_rank, block.last_id, anon_1.place
LIMIT ALL OFFSET 0) AS placed JOIN LATERAL (SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, wager_race_participants.user_id AS user_id, wager_race_participants.total_wager AS total_wager, wager_race_participants.rank AS rank, wager_race_participants.joined_at AS joined_at, wager_race_participants.updated_at AS updated_at, wager_race_participants.wager_history AS wager_history, wager_race_participants.member_key AS member_key, wager_race_participants.is_listed AS is_listed, wager_race_participants.account_id AS account_id, wager_race_participants.base AS base, wager_race_participants.is_new AS is_new, wager_race_participants.carried_over AS carried_over, wager_race_participants.disqualified_at AS disqualified_at, wager_race_participants.end_total AS end_total, wager_race_participants.unranked_reason AS unranked_reason, wager_race_participants.is_placed AS is_placed, wager_race_participants.noted_rank AS noted_rank, wager_race_participants.unplaced_rank AS unplaced_rank
FROM wager_race_participants
WHERE wager_race_participants.id = placed.id AND wager_race_participants.is_placed AND wager_race_participants.is_listed
LIMIT ALL OFFSET 0) AS row ON true LEFT OUTER JOIN users ON users.id = row.user_id
WHERE (row.rank, row.id) > ($2::BIGINT, $3::BIGINT) ORDER BY placed.last_rank, placed.last_id, placed.place
LIMIT $4::BIGINT) UNION ALL (SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, wager_race_participants.rank AS rank, wager_race_participants.total_wager AS total_wager, coalesce(CAST(wager_race_participants.rank AS BIGINT), 2147483648) AS place
FROM wager_race_participants LEFT OUTER JOIN users ON users.id = wager_race_participants.user_id
WHERE wager_race_participants.race_id = $1::INTEGER AND wager_race_participants.is_listed AND NOT wager_race_participants.is_placed AND (wager_race_participants.unplaced_rank, wager_race_participants.id) > ($2::BIGINT, $3::BIGINT) ORDER BY wager_race_participants.unplaced_rank, wager_race_participants.id
LIMIT $4::BIGINT) UNION ALL (SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, wager_race_participants.rank AS rank, wager_race_participants.total_wager AS total_wager, coalesce(CAST(wager_race_participants.rank AS BIGINT), 2147483648) AS place
FROM wager_race_participants LEFT OUTER JOIN users ON users.id = wager_race_participants.user_id
WHERE wager_race_participants.race_id = $1::INTEGER AND wager_race_participants.is_listed AND NOT wager_race_participants.is_placed AND wager_race_participants.unplaced_rank IS NULL AND wager_race_participants.id > CASE WHEN ($2::BIGINT >= 2147483648) THEN $3::BIGINT ELSE 0 END ORDER BY wager_race_participants.unplaced_rank, wager_race_participants.id
LIMIT $4::BIGINT)) AS page ON page.race_id = wager_races.id
WHERE wager_races.id = $1::INTEGER ORDER BY page.place, page.id
LIMIT $4::BIGINT""",
    (
        "race_id",
        "after_place",
        "after_id",
        "page_rows",
    ),
)

JOIN_RACE = Compiled(
    "races.participation_statements.join_race",
    """\
WITH caller AS
(SELECT users.id AS id
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $2::INTEGER AND users.id = $3::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $1::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND NOT ($4::BOOLEAN AND users.email_verified IS NOT true) FOR SHARE OF users),
race AS
(SELECT wager_races.id AS id
FROM wager_races
WHERE wager_races.id = $5::INTEGER AND wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE AND wager_races.cancelled_at IS NULL AND wager_races.settled_at IS NULL),
joined AS
(INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager, joined_at, updated_at) SELECT race.id AS id, caller.id AS id_1, caller.id AS id__1, 0 AS anon_1, $1::TIMESTAMP WITHOUT TIME ZONE AS anon_2, $1::TIMESTAMP WITHOUT TIME ZONE AS anon__1
FROM caller JOIN race ON true
WHERE NOT (EXISTS (SELECT *
FROM wager_race_participants
WHERE wager_race_participants.race_id = $5::INTEGER AND wager_race_participants.member_key = $3::INTEGER)) ON CONFLICT (race_id, member_key) DO NOTHING RETURNING wager_race_participants.race_id, wager_race_participants.user_id, wager_race_participants.joined_at, wager_race_participants.total_wager, wager_race_participants.rank)
SELECT joined.race_id, joined.user_id, joined.joined_at, joined.total_wager, joined.rank, true AS created
FROM joined UNION ALL SELECT existing.race_id, existing.user_id, existing.joined_at, existing.total_wager, existing.rank, existing.created
FROM (SELECT wager_race_participants.race_id AS race_id, wager_race_participants.user_id AS user_id, wager_race_participants.joined_at AS joined_at, wager_race_participants.total_wager AS total_wager, wager_race_participants.rank AS rank, false AS created
FROM wager_race_participants
WHERE wager_race_participants.race_id = $5::INTEGER AND wager_race_participants.member_key = $3::INTEGER) AS existing JOIN caller ON true""",
    (
        "now",
        "caller_session_id",
        "caller_id",
        "verified_email_required",
        "race_id",
    ),
    commit_in_flight=True,
)

SELECT_RACE_AND_PARTICIPATION = Compiled(
    "races.participation_statements.select_race_and_participation",
    """\
SELECT existing.race_id, existing.user_id, existing.joined_at, existing.total_wager, existing.rank, existing.created
FROM wager_races LEFT OUTER JOIN (SELECT wager_race_participants.race_id AS race_id, wager_race_participants.user_id AS user_id, wager_race_participants.joined_at AS joined_at, wager_race_participants.total_wager AS total_wager, wager_race_participants.rank AS rank, false AS created
FROM wager_race_participants
WHERE wager_race_participants.race_id = $1::INTEGER AND wager_race_participants.member_key = $2::INTEGER) AS existing ON true
WHERE wager_races.id = $1::INTEGER""",
    (
        "race_id",
        "caller_id",
    ),
)

LEAVE_RACE = Compiled(
    "races.participation_statements.leave_race",
    """\
WITH caller AS
(SELECT users.id AS id
FROM users JOIN sessions ON sessions.user_id = users.id
WHERE sessions.id = $4::INTEGER AND users.id = $3::INTEGER AND sessions.ended_at IS NULL AND sessions.expires_at > $1::TIMESTAMP WITHOUT TIME ZONE AND users.suspended_at IS NULL AND users.erased_at IS NULL FOR KEY SHARE OF users),
race AS
(SELECT wager_races.id AS id, wager_races.start_date <= $1::TIMESTAMP WITHOUT TIME ZONE AS has_started, EXISTS (SELECT *
FROM wager_race_participants
WHERE wager_race_participants.race_id = $2::INTEGER AND wager_race_participants.member_key = $3::INTEGER AND wager_race_participants.disqualified_at IS NOT NULL) AS is_disqualified
FROM caller JOIN wager_races ON wager_races.id = $2::INTEGER
WHERE EXISTS (SELECT *
FROM wager_race_participants
WHERE wager_race_participants.race_id = $2::INTEGER AND wager_race_participants.member_key = $3::INTEGER)),
"left" AS
(DELETE FROM wager_race_participants USING race WHERE wager_race_participants.race_id = race.id AND wager_race_participants.user_id = $3::INTEGER AND wager_race_participants.disqualified_at IS NULL AND NOT race.has_started AND NOT race.is_disqualified)
SELECT race.has_started, race.is_disqualified
FROM race""",
    (
        "now",
        "race_id",
        "caller_id",
        "caller_session_id",
    ),
    commit_in_flight=True,
)

SELECT_RACES = Compiled(
    "races.race_statements.select_races",
    """\
SELECT wager_races.id, wager_races.title, wager_races.type, CASE WHEN (wager_races.cancelled_at IS NOT NULL) THEN 'cancelled' WHEN (wager_races.start_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'upcoming' WHEN (wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'live' ELSE 'completed' END AS status, wager_races.prize_pool, wager_races.start_date, wager_races.end_date, wager_races.min_wager, wager_races.prize_distribution, wager_races.rules, wager_races.description, wager_races.participant_count + (SELECT coalesce(sum(participant_changes.change), 0) AS coalesce_1
FROM participant_changes
WHERE participant_changes.race_id = wager_races.id) AS participants
FROM wager_races
WHERE (wager_races.start_date, wager_races.id) < ($2::TIMESTAMP WITHOUT TIME ZONE, $3::BIGINT) ORDER BY wager_races.start_date DESC, wager_races.id DESC
LIMIT $4::BIGINT""",
    (
        "now",
        "after_start_date",
        "after_id",
        "page_rows",
    ),
)

SELECT_UPCOMING_RACES = Compiled(
    "races.race_statements.select_upcoming_races",
    """\
SELECT wager_races.id, wager_races.title, wager_races.type, CASE WHEN (wager_races.cancelled_at IS NOT NULL) THEN 'cancelled' WHEN (wager_races.start_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'upcoming' WHEN (wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'live' ELSE 'completed' END AS status, wager_races.prize_pool, wager_races.start_date, wager_races.end_date, wager_races.min_wager, wager_races.prize_distribution, wager_races.rules, wager_races.description, wager_races.participant_count + (SELECT coalesce(sum(participant_changes.change), 0) AS coalesce_1
FROM participant_changes
WHERE participant_changes.race_id = wager_races.id) AS participants
FROM wager_races
WHERE wager_races.cancelled_at IS NULL AND wager_races.start_date > $1::TIMESTAMP WITHOUT TIME ZONE AND (wager_races.start_date, wager_races.id) < ($2::TIMESTAMP WITHOUT TIME ZONE, $3::BIGINT) ORDER BY wager_races.start_date DESC, wager_races.id DESC
LIMIT $4::BIGINT""",
    (
        "now",
        "after_start_date",
        "after_id",
        "page_rows",
    ),
)

SELECT_LIVE_RACES = Compiled(
    "races.race_statements.select_live_races",
    """\
SELECT wager_races.id, wager_races.title, wager_races.type, CASE WHEN (wager_races.cancelled_at IS NOT NULL) THEN 'cancelled' WHEN (wager_races.start_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'upcoming' WHEN (wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'live' ELSE 'completed' END AS status, wager_races.prize_pool, wager_races.start_date, wager_races.end_date, wager_races.min_wager, wager_races.prize_distribution, wager_races.rules, wager_races.description, wager_races.participant_count + (SELECT coalesce(sum(participant_changes.change), 0) AS coalesce_1
FROM participant_changes
WHERE participant_changes.race_id = wager_races.id) AS participants
FROM wager_races
WHERE wager_races.id = ANY (array((SELECT wager_races.id
FROM wager_races
WHERE wager_races.cancelled_at IS NULL AND wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE AND wager_races.start_date <= $1::TIMESTAMP WITHOUT TIME ZONE))) AND (wager_races.start_date, wager_races.id) < ($2::TIMESTAMP WITHOUT TIME ZONE, $3::BIGINT) ORDER BY wager_races.start_date DESC, wager_races.id DESC
LIMIT $4::BIGINT""",
    (
        "now",
        "after_start_date",
        "after_id",
        "page_rows",
    ),
)

SELECT_COMPLETED_RACES = Compiled(
    "races.race_statements.select_completed_races",
    """\
SELECT wager_races.id, wager_races.title, wager_races.type, CASE WHEN (wager_races.cancelled_at IS NOT NULL) THEN 'cancelled' WHEN (wager_races.start_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'upcoming' WHEN (wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'live' ELSE 'completed' END AS status, wager_races.prize_pool, wager_races.start_date, wager_races.end_date, wager_races.min_wager, wager_races.prize_distribution, wager_races.rules, wager_races.description, wager_races.participant_count + (SELECT coalesce(sum(participant_changes.change), 0) AS coalesce_1
FROM participant_changes
WHERE participant_changes.race_id = wager_races.id) AS participants
FROM wager_races
WHERE wager_races.cancelled_at IS NULL AND wager_races.start_date <= $1::TIMESTAMP WITHOUT TIME ZONE AND wager_races.end_date <= $1::TIMESTAMP WITHOUT TIME ZONE AND (wager_races.start_date, wager_races.id) < ($2::TIMESTAMP WITHOUT TIME ZONE, $3::BIGINT) ORDER BY wager_races.start_date DESC, wager_races.id DESC
LIMIT $4::BIGINT""",
    (
        "now",
        "after_start_date",
        "after_id",
        "page_rows",
    ),
)

SELECT_CANCELLED_RACES = Compiled(
    "races.race_statements.select_cancelled_races",
    """\
SELECT wager_races.id, wager_races.title, wager_races.type, CASE WHEN (wager_races.cancelled_at IS NOT NULL) THEN 'cancelled' WHEN (wager_races.start_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'upcoming' WHEN (wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'live' ELSE 'completed' END AS status, wager_races.prize_pool, wager_races.start_date, wager_races.end_date, wager_races.min_wager, wager_races.prize_distribution, wager_races.rules, wager_races.description, wager_races.participant_count + (SELECT coalesce(sum(participant_changes.change), 0) AS coalesce_1
FROM participant_changes
WHERE participant_changes.race_id = wager_races.id) AS participants
FROM wager_races
WHERE wager_races.cancelled_at IS NOT NULL AND (wager_races.start_date, wager_races.id) < ($2::TIMESTAMP WITHOUT TIME ZONE, $3::BIGINT) ORDER BY wager_races.start_date DESC, wager_races.id DESC
LIMIT $4::BIGINT""",
    (
        "now",
        "after_start_date",
        "after_id",
        "page_rows",
    ),
)

SELECT_RACE = Compiled(
    "races.race_statements.select_race",
    """\
SELECT wager_races.id, wager_races.title, wager_races.type, CASE WHEN (wager_races.cancelled_at IS NOT NULL) THEN 'cancelled' WHEN (wager_races.start_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'upcoming' WHEN (wager_races.end_date > $1::TIMESTAMP WITHOUT TIME ZONE) THEN 'live' ELSE 'completed' END AS status, wager_races.prize_pool, wager_races.start_date, wager_races.end_date, wager_races.min_wager, wager_races.prize_distribution, wager_races.rules, wager_races.description, wager_races.participant_count + (SELECT coalesce(sum(participant_changes.change), 0) AS coalesce_1
FROM participant_changes
WHERE participant_changes.race_id = wager_races.id) AS participants
FROM wager_races
WHERE wager_races.id = $2::INTEGER""",
    (
        "now",
        "race_id",
    ),
)
