"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled

SELECT_FIRST_PAGE_OF_TODAY = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_first_page_of_today",
    """\
SELECT page.account_id, 0 + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_today AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_today > 0 AND member.is_listed ORDER BY wager_accounts.wager_today DESC, wager_accounts.user_id
LIMIT $1::BIGINT) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $1::BIGINT""",
    ("page_rows",),
)

SELECT_LATER_PAGE_OF_TODAY = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_later_page_of_today",
    """\
SELECT page.account_id, $1::BIGINT + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN ((SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_today AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_today > 0 AND wager_accounts.wager_today = CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND wager_accounts.user_id > coalesce((SELECT wager_accounts.user_id
FROM wager_accounts
WHERE wager_accounts.id = $3::BIGINT), 0) AND member.is_listed ORDER BY wager_accounts.wager_today DESC, wager_accounts.user_id
LIMIT $4::BIGINT) UNION ALL (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_today AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_today > 0 AND wager_accounts.wager_today < CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND member.is_listed ORDER BY wager_accounts.wager_today DESC, wager_accounts.user_id
LIMIT $4::BIGINT)) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $4::BIGINT""",
    (
        "after_rank",
        "after_place",
        "after_account_id",
        "page_rows",
    ),
)

SELECT_FIRST_PAGE_OF_WEEK = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_first_page_of_week",
    """\
SELECT page.account_id, 0 + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_week AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_week > 0 AND member.is_listed ORDER BY wager_accounts.wager_week DESC, wager_accounts.user_id
LIMIT $1::BIGINT) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $1::BIGINT""",
    ("page_rows",),
)

SELECT_LATER_PAGE_OF_WEEK = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_later_page_of_week",
    """\
SELECT page.account_id, $1::BIGINT + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN ((SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_week AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_week > 0 AND wager_accounts.wager_week = CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND wager_accounts.user_id > coalesce((SELECT wager_accounts.user_id
FROM wager_accounts
WHERE wager_accounts.id = $3::BIGINT), 0) AND member.is_listed ORDER BY wager_accounts.wager_week DESC, wager_accounts.user_id
LIMIT $4::BIGINT) UNION ALL (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_week AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_week > 0 AND wager_accounts.wager_week < CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND member.is_listed ORDER BY wager_accounts.wager_week DESC, wager_accounts.user_id
LIMIT $4::BIGINT)) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $4::BIGINT""",
    (
        "after_rank",
        "after_place",
        "after_account_id",
        "page_rows",
    ),
)

SELECT_FIRST_PAGE_OF_MONTH = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_first_page_of_month",
    """\
SELECT page.account_id, 0 + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_month AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_month > 0 AND member.is_listed ORDER BY wager_accounts.wager_month DESC, wager_accounts.user_id
LIMIT $1::BIGINT) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $1::BIGINT""",
    ("page_rows",),
)

SELECT_LATER_PAGE_OF_MONTH = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_later_page_of_month",
    """\
SELECT page.account_id, $1::BIGINT + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN ((SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_month AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_month > 0 AND wager_accounts.wager_month = CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND wager_accounts.user_id > coalesce((SELECT wager_accounts.user_id
FROM wager_accounts
WHERE wager_accounts.id = $3::BIGINT), 0) AND member.is_listed ORDER BY wager_accounts.wager_month DESC, wager_accounts.user_id
LIMIT $4::BIGINT) UNION ALL (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.wager_month AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.wager_month > 0 AND wager_accounts.wager_month < CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND member.is_listed ORDER BY wager_accounts.wager_month DESC, wager_accounts.user_id
LIMIT $4::BIGINT)) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $4::BIGINT""",
    (
        "after_rank",
        "after_place",
        "after_account_id",
        "page_rows",
    ),
)

SELECT_FIRST_PAGE_OF_ALL_TIME = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_first_page_of_all_time",
    """\
SELECT page.account_id, 0 + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN ((SELECT account.id AS account_id, account.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, account.total_wager AS wagered
FROM (SELECT block.last_place AS last_place, block.last_user_id AS last_user_id, anon_1.place AS place, anon_1.id AS id
FROM (SELECT wager_board_blocks.last_place AS last_place, wager_board_blocks.last_user_id AS last_user_id, wager_board_blocks.account_ids AS account_ids
FROM wager_board_blocks ORDER BY wager_board_blocks.last_place, wager_board_blocks.last_user_id
LIMIT 5) AS block JOIN unnest(block.account_ids) WITH ORDINALITY AS anon_1(id, place) ON true ORDER BY block.last_place, block.last_user_id, anon_1.place
LIMIT ALL OFFSET 0) AS placed JOIN LATERAL (SELECT wager_accounts.id AS id, wager_accounts.user_id AS user_id, wager_accounts.total_wager AS total_wager
FROM wager_accounts
WHERE wager_accounts.id = placed.id AND wager_accounts.is_placed
LIMIT ALL OFFSET 0) AS account ON true JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = account.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE member.is_listed ORDER BY placed.last_place, placed.last_user_id, placed.place
LIMIT $1::BIGINT) UNION ALL (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.unplaced_total AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.unplaced_total > 0 AND NOT wager_accounts.is_placed AND member.is_listed ORDER BY wager_accounts.unplaced_total DESC, wager_accounts.user_id
LIMIT $1::BIGINT)) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $1::BIGINT""",
    ("page_rows",),
)

SELECT_LATER_PAGE_OF_ALL_TIME = Compiled(
    "wagers.leaderboards.leaderboard_statements.select_later_page_of_all_time",
    """\
SELECT page.account_id, $1::BIGINT + row_number() OVER (ORDER BY page.wagered DESC, page.user_id) AS rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.wagered, newest.as_of
FROM (SELECT (SELECT feeds.requested_at
FROM feeds
WHERE feeds.uid_count > 0 ORDER BY feeds.requested_at DESC, feeds.key DESC
LIMIT 1) AS as_of) AS newest LEFT OUTER JOIN ((SELECT account.id AS account_id, account.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, account.total_wager AS wagered
FROM (SELECT block.last_place AS last_place, block.last_user_id AS last_user_id, anon_1.place AS place, anon_1.id AS id
FROM (SELECT wager_board_blocks.last_place AS last_place, wager_board_blocks.last_user_id AS last_user_id, wager_board_blocks.account_ids AS account_ids
FROM wager_board_blocks
WHERE (wager_board_blocks.last_place, wager_board_blocks.last_user_id) > (-(CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8), coalesce((SELECT wager_accounts.user_id
FROM wager_accounts
WHERE wager_accounts.id = $3::BIGINT), 0)) ORDER BY wager_board_blocks.last_place, wager_board_blocks.last_user_id
LIMIT 5) AS block JOIN unnest(block.account_ids) WITH ORDINALITY AS anon_1(id, place) ON true
WHERE anon_1.place > coalesce(array_position(CAST(block.account_ids AS BIGINT[]), $3::BIGINT), 0) ORDER BY block.last_place, block.last_user_id, anon_1.place
LIMIT ALL OFFSET 0) AS placed JOIN LATERAL (SELECT wager_accounts.id AS id, wager_accounts.user_id AS user_id, wager_accounts.total_wager AS total_wager
FROM wager_accounts
WHERE wager_accounts.id = placed.id AND wager_accounts.is_placed
LIMIT ALL OFFSET 0) AS account ON true JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = account.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE member.is_listed AND (-account.total_wager, account.user_id) > (-(CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8), coalesce((SELECT wager_accounts.user_id
FROM wager_accounts
WHERE wager_accounts.id = $3::BIGINT), 0)) ORDER BY placed.last_place, placed.last_user_id, placed.place
LIMIT $4::BIGINT) UNION ALL (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.unplaced_total AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.unplaced_total > 0 AND wager_accounts.unplaced_total = CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND wager_accounts.user_id > coalesce((SELECT wager_accounts.user_id
FROM wager_accounts
WHERE wager_accounts.id = $3::BIGINT), 0) AND NOT wager_accounts.is_placed AND member.is_listed ORDER BY wager_accounts.unplaced_total DESC, wager_accounts.user_id
LIMIT $4::BIGINT) UNION ALL (SELECT wager_accounts.id AS account_id, wager_accounts.user_id AS user_id, member.username AS username, member.hide_name AS hide_name, wager_accounts.unplaced_total AS wagered
FROM wager_accounts JOIN LATERAL (SELECT users.username AS username, users.hide_name AS hide_name, NOT (users.excluded_permanently OR users.excluded_until IS NOT NULL) AND users.suspended_at IS NULL AND users.erased_at IS NULL AND NOT users.is_shell AS is_listed
FROM users
WHERE users.id = wager_accounts.user_id
LIMIT ALL OFFSET 0) AS member ON true
WHERE wager_accounts.is_listed AND wager_accounts.user_id IS NOT NULL AND wager_accounts.unplaced_total > 0 AND wager_accounts.unplaced_total < CAST($2::BIGINT AS NUMERIC(20, 0)) * -1E-8 AND NOT wager_accounts.is_placed AND member.is_listed ORDER BY wager_accounts.unplaced_total DESC, wager_accounts.user_id
LIMIT $4::BIGINT)) AS page ON true ORDER BY page.wagered DESC, page.user_id
LIMIT $4::BIGINT""",
    (
        "after_rank",
        "after_place",
        "after_account_id",
        "page_rows",
    ),
)
