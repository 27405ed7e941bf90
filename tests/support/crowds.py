"""Very many rows for each list: those that its pages list, old ones among them, and neighbours that they don't list."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from goatedvips.domain.races import boards
from tests.support.members import Member, Members
from tests.support.plans import fill

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FEW = 30  # rows of each rare kind: more than a page

# The rare members are the oldest. `crowd…` is a prefix of everybody's username and address, `mail…` of addresses only.
# Each statement reads :rows, the size, and :first, an id that was free before.
USERS = """
INSERT INTO users (id, username, email, password, verified, tier, suspended_at, excluded_until, is_shell, created_at)
SELECT :first + n, name, CASE n % 2 WHEN 0 THEN name ELSE 'mail-' || name END || '@example.com', '', n % 2 = 0,
    CASE WHEN n <= :few THEN 'Diamond' ELSE 'Copper' END,
    CASE WHEN n BETWEEN 10 AND 10 + :few THEN '2026-05-01'::timestamp END,
    CASE WHEN n BETWEEN 20 AND 20 + :few THEN '2026-05-01'::timestamp END,
    n > :rows, '2026-05-01'::timestamp + n * interval '1 second'
FROM (SELECT n, CASE WHEN n <= :few THEN 'old-' ELSE 'crowd-' END || n AS name FROM generate_series(1, 2 * :rows) n) x;
"""
# A live race began before all others. One race has participants with ranks only, one without, and one shells. The
# member is in the first two, in the middle of the ranks.
RACES = """
INSERT INTO wager_races (id, title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution,
    cancelled_at, participant_count)
SELECT :first + n, 'Race', 'weekly', 'completed', 1, start, start + CASE WHEN n = 1 THEN interval '9999 days'
        WHEN n > :rows THEN interval '7 days' ELSE interval '1 minute' END, 0, '{"1": 100}',
    CASE WHEN n % 2 = 0 AND n < :rows THEN start END, CASE WHEN n <= 3 THEN :rows ELSE 0 END
FROM (SELECT n, CASE WHEN n > :rows THEN '2026-05-01 12:00'::timestamp + (n - :rows - :few) * interval '1 hour'
    ELSE '2020-01-01'::timestamp + n * interval '1 minute' END AS start
    FROM generate_series(1, :rows + 2 * :few) n) x;
INSERT INTO historical_races (id, month, year, prize_pool, start_date, end_date, participants, total_wagered,
    participant_count)
SELECT :first + n, 'May', '2020', 1, '2020-01-01', '2020-01-01'::timestamp + n % 7 * interval '1 day',
    CASE WHEN n = 1 THEN (SELECT jsonb_agg(jsonb_build_object('user_id', :first + m, 'username', 'crowd-' || m))
        FROM generate_series(1, :rows) m) ELSE '[]' END, 1, '1'
FROM generate_series(1, :rows) n;
INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager, rank, is_listed)
SELECT :first + race, :first + n, :first + n, 1, CASE WHEN race <> 2 THEN n END, race <> 3
FROM generate_series(1, :rows) n, generate_series(1, 3) race;
INSERT INTO wager_race_participants (race_id, user_id, member_key, total_wager, rank, is_listed)
SELECT :first + race, :member, :member, 1, CASE race WHEN 1 THEN :rows / 2 END, true FROM generate_series(1, 2) race;
INSERT INTO participant_changes (race_id, change) SELECT :first + race, 1
FROM generate_series(1, 3) race, generate_series(1, 10);
UPDATE wager_race_participants SET is_placed = true WHERE race_id = :first + 1;
"""
CODES = """
INSERT INTO bonus_codes (id, code, code_key, expires_at, value, batch_id)
SELECT :first + n, 'crowd-' || n, 'CROWD' || n, '2026-05-01', 1, CASE WHEN n > :few THEN 2 ELSE 1 END
FROM generate_series(1, :rows) n;
INSERT INTO code_claims (code_id, user_id, claimed_at)
SELECT :first + n, holder, '2026-05-01' FROM generate_series(1, :rows) n, unnest(ARRAY[:member, :first + 1]) holder;
"""
# Each of the two spins once a day, with a new seed each time.
SPINS = """
INSERT INTO wheel_spins (user_id, segment_index, "timestamp", spin_day)
SELECT holder, 1, day, day::date FROM generate_series(1, :rows) n, unnest(ARRAY[:member, :first + 1]) holder,
    LATERAL (SELECT '1700-01-01'::timestamp + n * interval '1 day' AS day) x;
INSERT INTO wheel_seeds (user_id, server_seed, client_seed, created_at, activated_at, revealed_at)
SELECT holder, '', '', '2026-01-01', '2026-01-01', '2026-01-01'
FROM generate_series(1, :rows) n, unnest(ARRAY[:member, :first + 1]) holder;
"""
# The oldest payouts have no reference yet.
REWARDS = """
INSERT INTO rewards (id, user_id, source_type, source_id, amount, created_at)
SELECT :first + n, CASE n % 2 WHEN 1 THEN :member ELSE :first + 1 END, 'code', n, 1, '2026-05-01'
FROM generate_series(1, :rows) n;
INSERT INTO payouts (id, batch_id, user_id, amount, reference, created_at, created_by)
SELECT :first + n, CASE WHEN n > :few THEN 2 ELSE 1 END, :first + 1, 1, CASE WHEN n > :few THEN 'paid' END,
    '2026-05-01', :member FROM generate_series(1, :rows) n;
INSERT INTO payout_items (reward_id, payout_id) SELECT :first + n, :first + n FROM generate_series(1, :rows) n;
"""
NOTIFICATIONS = """
INSERT INTO notifications (user_id, kind, payload, created_at, due_at)
SELECT CASE n % 2 WHEN 1 THEN :member ELSE :first + 1 END, 'tier_reached', '{"tier": "Gold", "reward": null}',
    '2026-05-01', '2026-05-01'::timestamp - n * interval '1 minute' FROM generate_series(1, :rows) n;
"""
TICKETS = """
INSERT INTO support_tickets (id, user_id, subject, description, status, priority, assignee_id)
SELECT :first + n, CASE n % 2 WHEN 1 THEN :member ELSE :first + 1 END, CASE WHEN n <= :few THEN 'rare' ELSE 's' END,
    'frequent', CASE n % 2 WHEN 1 THEN 'closed' ELSE 'open' END, CASE WHEN n <= :few THEN 'high' ELSE 'low' END,
    CASE WHEN n <= :few THEN :first + 1 END
FROM generate_series(1, :rows) n;
INSERT INTO ticket_messages (ticket_id, user_id, message)
SELECT ticket, :member, 'm' FROM generate_series(1, :rows) n, unnest(ARRAY[:first + 1, :first + 2]) ticket;
"""
# Feeds of many days, and accounts of which the last ones have fallen.
FEEDS = """
INSERT INTO feeds (key, requested_at, ingested_at, sha256, is_whole, entry_count, bad_count, uid_count, missing_count)
SELECT 'crowd-' || n, at, at, '', true, 1, 0, 1, 0
FROM (SELECT n, '2026-05-01 12:00'::timestamp - n * interval '10 minutes' AS at FROM generate_series(0, :rows) n) x;
INSERT INTO wager_accounts (uid, total_wager, wager_today, wager_week, wager_month, read_at, highest)
SELECT 'crowd-' || n, 1, 0, 0, 0, '2026-05-01', CASE WHEN n > :rows - :few THEN 2 ELSE 1 END
FROM generate_series(1, :rows) n;
"""
# Linked accounts, which have wagered the same this week. The members who are not listed have wagered most today. Every
# second one that is listed was listed after the order of the board of all time was written.
LINKED_ACCOUNTS = """
INSERT INTO wager_accounts (uid, user_id, is_listed, total_wager, wager_today, wager_week, wager_month, read_at,
    is_placed, unplaced_total)
SELECT 'linked-' || n, :first + n, is_listed, n, CASE WHEN is_listed THEN n ELSE 9999999 END, 1, 0, '2026-05-01',
    is_listed AND n % 2 = 1, CASE WHEN n % 2 = 0 THEN n END
FROM (SELECT n, n > 2 * :few AND n <= :rows AS is_listed FROM generate_series(1, :rows + :rows / 4) n) x;
INSERT INTO wager_board_blocks (last_place, last_user_id, account_ids)
SELECT -min(total_wager), min(user_id), array_agg(id ORDER BY total_wager DESC)
FROM wager_accounts WHERE is_placed GROUP BY total_wager::int / 200;
"""
# Subscriptions; drafts with long texts; of two campaigns very much mail waits: one is being sent, and one is paused.
CAMPAIGNS = """
INSERT INTO newsletter_subscriptions (email, is_subscribed)
SELECT 'crowd-' || n || '@example.com', n % 2 = 0 FROM generate_series(1, :rows) n;
INSERT INTO campaigns (id, audience, subject, body, html, plain_text, created_at, updated_at, status, queued_at,
    window_began_at, counted_until, counted_sent)
SELECT :first + n, 'newsletter', 's', repeat(md5(n::text), 50), repeat(md5(n::text), 50), 't', '2026-05-01',
    '2026-05-01', CASE n WHEN 1 THEN 'sending' WHEN 2 THEN 'paused' ELSE 'draft' END, '2026-05-01', '2026-05-01',
    '2026-05-01 11:50', :rows
FROM generate_series(1, :rows / 10) n;
INSERT INTO outbox (kind, priority, address, campaign_id, created_at, due_at, sent_at, bounced_at)
SELECT 'newsletter', 4, n || '@example.com', :first + campaign, '2026-05-01', '2026-05-01',
    CASE WHEN campaign > 1 OR n > 4 * :rows / 10 THEN NULL WHEN n % 100 = 0 THEN '2026-05-01 11:55'::timestamp
        ELSE '2026-05-01 11:00'::timestamp END,
    CASE WHEN campaign = 1 AND n % 1000 = 0 AND n <= 4 * :rows / 10 THEN '2026-05-01 11:56'::timestamp END
FROM unnest(ARRAY[1, 2]) campaign, generate_series(1, :rows * (8 - 3 * campaign) / 10) n;
"""
STATEMENTS = """
INSERT INTO statements (user_id, month, wagered, spins, claims, rewards, races, created_at)
SELECT holder, '1700-01-01'::timestamp + n * interval '1 month', 1, 1, 1, 1, '[]', '2026-05-01'
FROM generate_series(1, :rows / 10) n, unnest(ARRAY[:member, :first + 1]) holder;
"""
# The oldest requests wait for a decision, and so do the newest.
LINKS = """
INSERT INTO account_links (user_id, uid, requested_at, decision, decided_at)
SELECT :first + n, 'uid-' || n, '2026-05-01', decision, CASE WHEN decision <> '' THEN '2026-05-01'::timestamp END
FROM unnest(ARRAY[NULL, 'refused']) decision, generate_series(1, :rows) n ORDER BY decision NULLS FIRST;
INSERT INTO account_links (user_id, uid, requested_at)
SELECT :first + :rows + n, 'uid-' || n, '2026-05-01' FROM generate_series(1, :rows) n;
"""


@dataclass(frozen=True)
class Crowd:
    """A database with very many rows.

    Parameters
    ----------
    first: an id; the crowd's ids of each table are larger. That of the race with ranked participants is the next one,
        the race with unranked participants follows, then one with shells.
    """

    member: Member
    staff: Member
    first: int


def make_crowd(database: sa.Engine, rows: int) -> Crowd:
    """Fill a migrated database, and have statistics of it."""
    members, first = Members(database), 1_000_000
    crowd = Crowd(members.new(seeds=False), members.staff(seeds=False), first)
    values = {"rows": rows, "few": FEW, "first": first, "member": crowd.member.id}

    def run(*scripts: str) -> None:
        for script in scripts:
            filled = re.sub(r"(?<!:):([a-z]+)", lambda name: str(values[name[1]]), script)
            fill(database, *filled.split(";")[:-1])

    run(USERS, RACES, CODES, SPINS, REWARDS, TICKETS, NOTIFICATIONS, LINKS, FEEDS, LINKED_ACCOUNTS)
    with database.begin() as connection:
        connection.execute(sa.select(sa.true()).add_cte(boards.inserted_blocks()), {"race_ids": [first + 1]})
    run(STATEMENTS, CAMPAIGNS)
    return crowd


@dataclass(frozen=True)
class Variant:
    """A request for a page of a list.

    Parameters
    ----------
    by: `member` or `staff` of the crowd; None: nobody.
    query, path: with `{1}` for the first id and 1, and so on.
    most: how many rows it may read, over all tables.
    most_pages: how many pages of tables and indexes it may read. An index of 100,000 rows has about 280.
    """

    function: str
    query: dict[str, str]
    by: str | None = None
    path: str | None = None
    most: int = 500
    most_pages: int = 280


def _of_members(**query: str) -> Variant:
    # A search by prefix scans a range of an index for each length of what a name and an address begin with.
    return Variant("list_members", query, "staff", most_pages=4_000 if "q" in query else 280)


VARIANTS = {
    "members": _of_members(),
    "members, an old prefix": _of_members(q="old-2"),
    "members, a frequent prefix": _of_members(q="CROWD-"),
    "members, a prefix of one letter": _of_members(q="c"),
    "members, a prefix of addresses only": _of_members(q="mail-crowd-1"),
    "members, no one's prefix": _of_members(q="crowdx"),
    "members, a rare tier": _of_members(tier="Diamond"),
    "members, a frequent tier": _of_members(tier="Copper"),
    "members, nobody's tier": _of_members(tier="Gold"),
    "members, verified": _of_members(verified="true"),
    "members, suspended": _of_members(suspended="true"),
    "members, excluded": _of_members(excluded="true"),
    "members, rare in all": _of_members(tier="Diamond", verified="true", suspended="true", excluded="true"),
    "members, a frequent prefix with a rare tier": _of_members(q="crowd", tier="Diamond"),
    "members, a frequent prefix of the suspended": _of_members(q="c", suspended="true"),
    "members, by id": _of_members(id="1000007"),
    "members, by uid": _of_members(uid="nobody's"),
    **{
        f"races, {status or 'all'}": Variant("list_races", {"status": status} if status else {}, most=1_000)
        for status in ("", "upcoming", "live", "completed", "cancelled")
    },
    "past races": Variant("list_past_races", {}),
    "leaderboard of the ranked": Variant("get_leaderboard", {}, path="/v1/races/{1}/leaderboard", most=200),
    # Each participant and each member is read by the primary key, of three pages.
    "leaderboard, the top 50": Variant(
        "get_leaderboard", {"limit": "50"}, path="/v1/races/{1}/leaderboard", most=200, most_pages=450
    ),
    "leaderboard of the unranked": Variant("get_leaderboard", {}, path="/v1/races/{2}/leaderboard", most=200),
    "leaderboard of shells": Variant("get_leaderboard", {}, path="/v1/races/{3}/leaderboard", most=200),
    **{
        f"leaderboard of wagers, {period}": Variant(
            "get_wager_leaderboard", {"limit": "50"}, path=f"/v1/leaderboards/{period}", most=250, most_pages=most_pages
        )
        # Of the board of all time, half of the accounts are read by the primary key.
        for period, most_pages in (("today", 280), ("week", 280), ("all_time", 850))
    },
    # Up to 1,000 unread ones are counted, each by a row of the index and one of the table.
    "inbox": Variant("list_notifications", {}, "member", most=2_200),
    "statements": Variant("list_statements", {}, "member"),
    "codes": Variant("list_codes", {}, "member"),
    "issued codes": Variant("list_issued_codes", {}, "staff"),
    "issued codes of an old batch": Variant("list_issued_codes", {"batch_id": "1"}, "staff"),
    "issued codes of a large batch": Variant("list_issued_codes", {"batch_id": "2"}, "staff"),
    "an old code": Variant("list_issued_codes", {"code": "crowd-7"}, "staff"),
    "own rewards": Variant("list_my_rewards", {}, "member"),
    "rewards": Variant("list_rewards", {}, "staff"),
    "rewards of a member": Variant("list_rewards", {"user_id": "1000001"}, "staff"),
    "payouts": Variant("list_payouts", {}, "staff"),
    "unpaid payouts": Variant("list_payouts", {"paid": "false"}, "staff"),
    "payouts of an old batch": Variant("list_payouts", {"batch_id": "1"}, "staff"),
    "subscriptions": Variant("list_subscriptions", {}, "staff"),
    "spins": Variant("list_spins", {}, "member"),
    "seeds": Variant("list_seeds", {}, "member"),
    "tickets": Variant("list_tickets", {}, "member"),
    "ticket queue": Variant("list_ticket_queue", {}, "staff"),
    "ticket queue, by status": Variant("list_ticket_queue", {"status": "closed"}, "staff"),
    "ticket queue, by a rare priority": Variant("list_ticket_queue", {"priority": "high"}, "staff"),
    "ticket queue, by a rare assignee": Variant("list_ticket_queue", {"assignee": "{1}"}, "staff"),
    "ticket queue, of nobody": Variant("list_ticket_queue", {"assignee": "none"}, "staff"),
    "ticket queue, a rare word": Variant("list_ticket_queue", {"q": "rare"}, "staff", most_pages=1_200),
    # A search looks at the newest 1,000 tickets and messages that have its words.
    "ticket queue, a frequent word": Variant(
        "list_ticket_queue", {"q": "frequent"}, "staff", most=5_000, most_pages=6_000
    ),
    "campaigns": Variant("list_campaigns", {}, "staff"),
    "messages": Variant("get_ticket", {}, "member", "/v1/tickets/{1}"),
    "messages, to staff": Variant("get_ticket", {}, "staff", "/v1/tickets/{2}"),
    # At 1,000 rows the planner reads the table of members whole for each of three joins.
    "pending links": Variant("list_links", {"status": "pending"}, "staff", most=7_000, most_pages=600),
    "decided links": Variant("list_links", {"status": "decided"}, "staff", most=7_000, most_pages=600),
}
"""Requests for each list. A test holds the names of the functions to the OpenAPI document."""

OTHERS = {
    "a past race": Variant("get_past_race", {}, path="/v1/races/history/{1}", most=2_000, most_pages=1_500),
    "a race": Variant("get_race", {}, path="/v1/races/{1}"),
    # Of 1,000 participants, the ten blocks of the board are read whole.
    "own standing": Variant("get_standing", {"around": "5"}, "member", "/v1/races/{1}/standing", most=70),
    "own standing without a rank": Variant(
        "get_standing", {"around": "5"}, "member", "/v1/races/{2}/standing", most=50
    ),
    "the feed": Variant("get_feed", {}, "staff", most=400),
    "a member": Variant("get_member", {}, "staff", "/v1/admin/members/{5}"),
    "the overview": Variant("get_overview", {}, "staff"),
    "a profile": Variant("get_profile", {}, path="/v1/users/{1}"),
}
"""Requests for what is no list and could grow with the data."""
