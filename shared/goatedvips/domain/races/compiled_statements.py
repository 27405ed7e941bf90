"""Statements of the domain, as SQLAlchemy compiles them.

`make statements` writes this file.  Each statement stands with the names of its parameters in the order of $1 ….
"""

from goatedvips.compiled import Compiled

SELECT_FIRST_PAGE = Compiled(
    "races.leaderboard_statements.select_first_page",
    """\
SELECT page.id, page.place, page.rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.total_wager, feeds.requested_at AS as_of, wager_races.start_date, wager_races.end_date, wager_races.settled_at, wager_races.cancelled_at
FROM wager_races LEFT OUTER JOIN feeds ON feeds.id = wager_races.board_feed_id LEFT OUTER JOIN (SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, wager_race_participants.rank AS rank, wager_race_participants.total_wager AS total_wager, coalesce(CAST(wager_race_participants.rank AS BIGINT), 2147483648) AS place
FROM wager_race_participants LEFT OUTER JOIN users ON users.id = wager_race_participants.user_id
WHERE wager_race_participants.race_id = $1::INTEGER AND wager_race_participants.is_listed ORDER BY wager_race_participants.rank, wager_race_participants.id
LIMIT $2::BIGINT) AS page ON page.race_id = wager_races.id
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
SELECT page.id, page.place, page.rank, CASE WHEN NOT page.hide_name THEN page.user_id END AS user_id, CASE WHEN NOT page.hide_name THEN page.username END AS username, page.total_wager, feeds.requested_at AS as_of, wager_races.start_date, wager_races.end_date, wager_races.settled_at, wager_races.cancelled_at
FROM wager_races LEFT OUTER JOIN feeds ON feeds.id = wager_races.board_feed_id LEFT OUTER JOIN ((SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, wager_race_participants.rank AS rank, wager_race_participants.total_wager AS total_wager, coalesce(CAST(wager_race_participants.rank AS BIGINT), 2147483648) AS place
FROM wager_race_participants LEFT OUTER JOIN users ON users.id = wager_race_participants.user_id
WHERE wager_race_participants.race_id = $1::INTEGER AND wager_race_participants.is_listed AND (wager_race_participants.rank, wager_race_participants.id) > ($2::BIGINT, $3::BIGINT) ORDER BY wager_race_participants.rank ASC, wager_race_participants.id ASC
LIMIT $4::BIGINT) UNION ALL (SELECT wager_race_participants.id AS id, wager_race_participants.race_id AS race_id, users.id AS user_id, users.username AS username, users.hide_name AS hide_name, wager_race_participants.rank AS rank, wager_race_participants.total_wager AS total_wager, coalesce(CAST(wager_race_participants.rank AS BIGINT), 2147483648) AS place
FROM wager_race_participants LEFT OUTER JOIN users ON users.id = wager_race_participants.user_id
WHERE wager_race_participants.race_id = $1::INTEGER AND wager_race_participants.is_listed AND wager_race_participants.rank IS NULL AND wager_race_participants.id > CASE WHEN ($2::BIGINT >= 2147483648) THEN $3::BIGINT ELSE 0 END ORDER BY wager_race_participants.rank, wager_race_participants.id
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
