"""The staff's overview."""

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain import access
from goatedvips.domain.operations import figures as domain
from goatedvips.domain.operations import overview
from goatedvips.models.accounts import users
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import figures as figures_table
from goatedvips.models.races import race_boundaries, wager_race_participants, wager_races
from goatedvips.models.rewards import payouts, rewards
from goatedvips.models.tickets import support_tickets, ticket_messages
from goatedvips.models.wagers import accepted_falls, feeds, wager_accounts
from tests.support import ledger, stack
from tests.support.functions import Functions
from tests.support.ingesting import Ingesting
from tests.support.members import Members
from tests.support.plans import Requests, fill, plan, read_whole, rows_read
from tests.support.races import Races

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _no_other_rows(database: sa.Engine) -> None:
    """Remove the rows of other tests, because the figures are of all rows."""
    tables = (code_claims, bonus_codes, payouts, rewards, outbox, wager_race_participants, wager_races, ticket_messages)
    with database.connect() as connection:
        for table in (*tables, support_tickets, race_boundaries, accepted_falls, feeds, wager_accounts, figures_table):
            connection.execute(sa.delete(table))
        connection.execute(sa.update(users).values(is_active=False, created_at=NOW - 99 * DAY))


@pytest.fixture
def add(database: sa.Engine) -> Any:
    def add(table: sa.Table, **columns: Any) -> int:
        with database.connect() as connection:
            return int(connection.scalar(sa.insert(table).values(columns).returning(table.c.id)) or 0)

    return add


def count(functions: Functions, now: datetime = NOW) -> None:
    functions.invoke("advance_races", {"scheduled_time": now.isoformat()}, now=now)


def read(functions: Functions, members: Members) -> Any:
    answer = functions.call("get_overview", by=members.staff(created_at=NOW - 99 * DAY), now=NOW)
    assert answer.status == 200, answer.text
    return answer.json


def figures(functions: Functions, members: Members) -> Any:
    """The overview after the figures were counted."""
    count(functions)
    return read(functions, members)


def test_an_empty_platform_has_a_zero_for_each_figure(functions: Functions, members: Members) -> None:
    answer = figures(functions, members)
    del answer["members"]["all"], answer["codes"]["issued"], answer["codes"]["claimed"]
    assert answer == {
        "as_of": "2026-05-01T12:00:00Z",
        "members": {"new_today": 0, "new_this_week": 0, "active": 0, "approximate": []},
        "wagers": {"today": "0.00", "week": "0.00", "month": "0.00"},
        "races": {"live": 0, "unsettled": 0},
        "tickets": [{"priority": name, "waiting": 0, "oldest_at": None} for name in ("high", "medium", "low")],
        "codes": {"outstanding": "0.00", "claims_left": 0, "unlimited": 0, "approximate": ["issued", "claimed"]},
        "rewards": {"unpaid": 0, "amount": "0.00", "open": "0.00"},
        "mail": {"queued": 0, "failed": 0},
        "feed": {"read_at": None, "age_seconds": None, "token_ends_at": None},
    }


def test_before_the_first_count_all_figures_are_zero(functions: Functions, members: Members) -> None:
    answer = read(functions, members)
    assert answer["as_of"] is None
    assert answer["members"] == {"all": 0, "new_today": 0, "new_this_week": 0, "active": 0, "approximate": []}
    assert answer["wagers"] == {"today": "0.00", "week": "0.00", "month": "0.00"}
    assert (answer["codes"]["issued"], answer["rewards"]) == (0, {"unpaid": 0, "amount": "0.00", "open": "0.00"})


def test_figures_are_those_of_the_latest_count(functions: Functions, members: Members, add: Any) -> None:
    given = {"subject": "Help", "description": "Please", "created_at": NOW, "priority": "urgent"}
    ticket_id = add(support_tickets, **given)
    count(functions, NOW)
    members.new(seeds=False, created_at=NOW, is_active=True)
    assert read(functions, members)["members"]["active"] == 0
    count(functions, NOW - MOMENT)  # a run that was held up
    answer = read(functions, members)
    assert (answer["as_of"], answer["members"]["active"]) == ("2026-05-01T12:00:00Z", 0)
    with db.transaction() as connection:
        connection.execute(sa.delete(support_tickets).where(support_tickets.c.id == ticket_id))
    assert [ticket["priority"] for ticket in answer["tickets"]] == ["high", "medium", "low", "urgent"]
    count(functions, NOW + MOMENT)
    answer = read(functions, members)
    assert (answer["as_of"], answer["members"]["active"]) == ("2026-05-01T12:00:00.000001Z", 1)
    assert [ticket["priority"] for ticket in answer["tickets"]] == ["high", "medium", "low"]


def test_it_counts_new_and_active_members(functions: Functions, members: Members) -> None:
    count(functions, NOW - MOMENT)
    before = read(functions, members)["members"]["all"]
    for age in (timedelta(0), DAY - MOMENT, DAY, 7 * DAY - MOMENT, 7 * DAY, -MOMENT):
        members.new(seeds=False, created_at=NOW - age, is_active=age == DAY)
    members.new(seeds=False, created_at=NOW, erased_at=NOW)
    answer = figures(functions, members)["members"]
    assert (answer["new_today"], answer["new_this_week"], answer["active"]) == (2, 4, 1)
    assert answer["all"] == before + 7, "the six of them who are not erased, and the staff member who read the figures"


def test_shells_are_not_counted(functions: Functions, members: Members, add: Any) -> None:
    uid = f"uid-{secrets.token_hex(6)}"
    add(wager_accounts, uid=uid, read_at=NOW, total_wager=5, wager_today=5, wager_week=5, wager_month=5)
    members.change(members.shell(uid), is_active=True, created_at=NOW)
    answer = figures(functions, members)
    with db.reading() as connection:
        not_shells = connection.scalar(sa.select(sa.func.count()).where(~users.c.is_shell, users.c.erased_at.is_(None)))
    assert answer["members"]["all"] == (not_shells or 0) - 1, "before the staff member who reads them was made"
    assert [answer["members"][name] for name in ("new_today", "new_this_week", "active")] == [0, 0, 0]
    assert answer["wagers"] == {"today": "0.00", "week": "0.00", "month": "0.00"}


def test_it_sums_wagers_of_linked_accounts_exactly(functions: Functions, members: Members, add: Any) -> None:
    figures_of = ("total_wager", "wager_today", "wager_week", "wager_month")
    for amounts in (
        ("1", "0.00000001", "1.5", "9999999999.99999999"),
        ("1", "0.1", "0", "0.00000001"),
        ("0", "0", "0", "0"),
    ):
        uid = secrets.token_hex(8)
        member = members.new(seeds=False, uid=uid)
        given = dict(zip(figures_of, map(Decimal, amounts), strict=True))
        add(wager_accounts, uid=uid, user_id=member.id, read_at=NOW, **given)
    add(wager_accounts, uid=secrets.token_hex(8), read_at=NOW, **dict.fromkeys(figures_of, 7))
    assert figures(functions, members)["wagers"] == {
        "today": "0.10000001",
        "week": "1.50",
        "month": "10000000000.00",
    }


def test_it_counts_races_within_their_window_as_live(functions: Functions, members: Members, add: Any) -> None:
    given = {"title": "Race", "type": "weekly", "status": "upcoming", "prize_pool": 1, "min_wager": 0}
    given |= {"prize_distribution": {"1": 100}}
    for start, end, cancelled_at in (
        (NOW, NOW + DAY, None),
        (NOW - DAY, NOW + MOMENT, None),
        (NOW - DAY, NOW, None),
        (NOW + MOMENT, NOW + DAY, None),
        (NOW - DAY, NOW + DAY, NOW),
    ):
        add(wager_races, start_date=start, end_date=end, cancelled_at=cancelled_at, **given)
    assert figures(functions, members)["races"]["live"] == 2


def test_it_counts_races_that_are_over_until_they_are_settled_or_cancelled(
    functions: Functions, members: Members, races: Races
) -> None:
    races.remove_all()
    second = timedelta(seconds=1)
    for end in (NOW - timedelta(days=40), NOW, NOW + second):
        for columns in ({}, {"settled_at": NOW}, {"cancelled_at": NOW}):
            races.new(start_date=end - timedelta(days=7), end_date=end, **columns)
    assert figures(functions, members)["races"]["unsettled"] == 2


def test_it_counts_tickets_by_priority(functions: Functions, members: Members, add: Any) -> None:
    for priority, status, age in (
        ("low", "open", 1),
        ("high", "in_progress", 3),
        ("high", "open", 2),
        ("high", "closed", 9),
        ("urgent", "open", 4),  # of an adopted ticket
    ):
        add(
            support_tickets,
            subject="Help",
            description="Please",
            priority=priority,
            status=status,
            created_at=NOW - age * DAY,
        )
    assert figures(functions, members)["tickets"] == [
        {"priority": "high", "waiting": 2, "oldest_at": "2026-04-28T12:00:00Z"},
        {"priority": "medium", "waiting": 0, "oldest_at": None},
        {"priority": "low", "waiting": 1, "oldest_at": "2026-04-30T12:00:00Z"},
        {"priority": "urgent", "waiting": 1, "oldest_at": "2026-04-27T12:00:00Z"},
    ]


def test_a_reward_is_unpaid_until_its_payout_has_a_reference(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new(seeds=False)
    for amount in ("2.00", "-0.50"):
        ledger.reward(database, member.id, amount)
    for amount, reference in (("5.50", None), ("7.00", "TX-1")):
        ledger.payout(database, member.id, amount, ledger.reward(database, member.id, amount), reference=reference)
    assert figures(functions, members)["rewards"] == {"unpaid": 3, "amount": "7.00", "open": "1.50"}


def test_outstanding_is_what_is_left_of_live_codes(functions: Functions, members: Members, add: Any) -> None:
    owner = members.new(seeds=False).id

    def issue(**terms: Any) -> None:
        tag = secrets.token_hex(8)
        given = {"code": tag, "code_key": tag, "value": Decimal("2.50"), "expires_at": NOW + MOMENT, "max_claims": 10}
        add(bonus_codes, **given | terms)

    issue(claims=4)
    issue(starts_at=NOW + DAY, expires_at=NOW + 2 * DAY, max_claims=1, user_id=owner, value=Decimal("0.10"))
    issue(claims=10)
    issue(max_claims=2, claims=3)
    issue(max_claims=None, claims=7)
    issue(expires_at=NOW)
    issue(revoked_at=NOW)
    issue(value=None)
    codes = figures(functions, members)["codes"]
    assert {name: codes[name] for name in ("outstanding", "claims_left", "unlimited")} == {
        "outstanding": "15.10",
        "claims_left": 7,
        "unlimited": 1,
    }


def test_codes_of_absurd_terms_do_not_stop_the_count(functions: Functions, members: Members, add: Any) -> None:
    for _ in range(500):
        tag = secrets.token_hex(8)
        given = {"code": tag, "code_key": tag, "value": Decimal("99999999.99"), "expires_at": NOW + DAY}
        add(bonus_codes, **given, max_claims=2**31 - 1)
    codes = figures(functions, members)["codes"]
    assert (codes["outstanding"], codes["claims_left"]) == (f"{domain.LARGEST_SUM}.00", 500 * (2**31 - 1))


def test_it_counts_queued_and_failed_mail(functions: Functions, members: Members, add: Any) -> None:
    given = {"kind": "verification", "created_at": NOW, "due_at": NOW + DAY}
    for times in ({}, {"leased_until": NOW}, {"sent_at": NOW}, {"failed_at": NOW}):
        add(outbox, **given, **times)
        add(outbox, **given | {"kind": "link_ended", "channel": "push"}, **times)
    assert figures(functions, members)["mail"] == {"queued": 2, "failed": 1}


def test_the_age_of_the_feed_is_that_of_its_last_reading(functions: Functions, members: Members, add: Any) -> None:
    def ingest(requested_at: datetime, uids: int = 1, **more: datetime) -> None:
        counts = {"entry_count": uids, "bad_count": 0, "uid_count": uids, "missing_count": 0}
        times = {"requested_at": requested_at, "ingested_at": NOW}
        add(feeds, key=secrets.token_hex(8), sha256="", is_whole=uids > 0, **times, **counts, **more)

    for age in (61, 90.5):
        ingest(NOW - timedelta(seconds=age))
    ingest(NOW, uids=0)
    read = {"read_at": "2026-05-01T11:58:59Z", "age_seconds": 61}
    assert figures(functions, members)["feed"] == read | {"token_ends_at": None}
    ingest(NOW + timedelta(seconds=1), uids=0, token_ends_at=NOW + DAY)  # no feed, but asked for with a new token
    assert figures(functions, members)["feed"] == read | {"token_ends_at": "2026-05-02T12:00:00Z"}
    ingest(NOW + DAY)
    feed = figures(functions, members)["feed"]
    assert (feed["age_seconds"], feed["token_ends_at"]) == (0, None)


def test_totals_are_the_planner_s_estimates(functions: Functions, members: Members, database: sa.Engine) -> None:
    def planner_takes_codes_for(rows: int) -> None:
        with database.connect() as connection:
            estimate = sa.text("UPDATE pg_class SET reltuples = :rows WHERE oid = 'bonus_codes'::regclass")
            connection.execute(estimate, {"rows": rows})

    def issue(first: int, last: int) -> None:
        batch = sa.text(
            "INSERT INTO bonus_codes (code, code_key, expires_at) SELECT code, code_key(code), '2026-05-01'"
            " FROM (SELECT CAST(:tag AS text) || n AS code FROM generate_series(CAST(:first AS int), :last) n) codes"
        )
        with database.connect() as connection:
            connection.execute(batch, {"tag": secrets.token_hex(6), "first": first, "last": last})

    later = iter(range(1, 9))

    def issued() -> Any:
        count(functions, NOW + next(later) * MOMENT)
        return read(functions, members)["codes"]["issued"]

    with database.connect() as connection:
        there = connection.scalar(sa.select(sa.func.count()).select_from(bonus_codes)) or 0
    issue(there + 1, domain.EXACT_BELOW - 1)
    planner_takes_codes_for(12_345)
    assert issued() == domain.EXACT_BELOW - 1, "a few are counted"
    issue(1, 1)
    assert issued() == 12_345
    planner_takes_codes_for(-1)
    assert issued() is None


def test_only_staff_may_read_it(functions: Functions, members: Members) -> None:
    demoted, suspended, signed_out = members.staff(), members.staff(suspended_at=NOW), members.staff()
    members.change(demoted, is_admin=False)
    members.end_session(signed_out)
    for by in (members.new(), demoted):
        assert functions.call("get_overview", by=by).json["code"] == "forbidden"
    assert functions.call("get_overview", by=suspended).json["code"] == "account_suspended"
    assert functions.call("get_overview", by=signed_out).status == 401
    assert functions.call("get_overview").status == 401


FILLING = """
INSERT INTO users (username, email, password, created_at, is_active)
    SELECT md5(n::text), md5(n::text) || '@crowd.example', '', '2026-05-01'::timestamp - n * interval '1 hour',
        n % 20 = 0
    FROM generate_series(1, 50000) AS n;
INSERT INTO bonus_codes (code, expires_at) SELECT md5(n::text), '2026-05-01' FROM generate_series(1, 50000) AS n;
INSERT INTO code_claims (code_id, user_id, claimed_at)
    SELECT id, (SELECT min(id) FROM users), '2026-05-01' FROM bonus_codes ON CONFLICT DO NOTHING;
INSERT INTO outbox (kind, created_at, due_at, sent_at)
    SELECT 'verification', '2026-05-01', '2026-05-01', CASE WHEN n % 100 <> 0 THEN '2026-05-01'::timestamp END
    FROM generate_series(1, 50000) AS n;
INSERT INTO rewards (user_id, source_type, source_id, amount, created_at)
    SELECT 1, CASE WHEN n % 2 = 0 THEN 'spin' ELSE 'code' END, n, 1, '2026-05-01' FROM generate_series(1, 50000) AS n;
INSERT INTO support_tickets (subject, description, status, priority)
    SELECT 's', 'd', CASE WHEN n % 100 = 0 THEN 'open' ELSE 'closed' END, 'low' FROM generate_series(1, 50000) AS n;
INSERT INTO wager_accounts (uid, total_wager, wager_today, wager_week, wager_month, read_at)
    SELECT md5(n::text), 0, 0, 0, 0, '2026-05-01'::timestamp - n * interval '1 second'
    FROM generate_series(1, 50000) AS n;
INSERT INTO feeds (key, requested_at, ingested_at, sha256, is_whole, entry_count, bad_count, uid_count, missing_count)
    SELECT n::text, '2026-05-01'::timestamp - n * interval '1 second', '2026-05-01', '', true, 1, 0, 1, 0
    FROM generate_series(1, 50000) AS n"""
EMPTYING = """
DELETE FROM rewards; DELETE FROM code_claims; DELETE FROM bonus_codes; DELETE FROM outbox; DELETE FROM support_tickets;
DELETE FROM wager_accounts; DELETE FROM feeds; DELETE FROM users WHERE email LIKE '%@crowd.example'"""
BIG = {"users", "bonus_codes", "code_claims", "outbox", "rewards", "support_tickets", "wager_accounts", "feeds"}


@pytest.fixture
def crowd(database: sa.Engine) -> Iterator[None]:
    """50,000 rows in each large table."""
    fill(database, *FILLING.split(";"))
    yield
    fill(database, *EMPTYING.split(";"))


def test_a_request_reads_no_table_that_it_counts(
    functions: Functions, servers: stack.Stack, members: Members, crowd: None
) -> None:
    count(functions)
    staff = members.staff()
    caller = access.Caller(staff.id, staff.session_id, "test")
    url = servers.direct(os.environ["TEST_DATABASE"], "api")
    read = rows_read(url, overview._select_figures, caller.parameters(NOW))
    assert read.keys() <= {"users", "sessions", "figures", "feeds"}
    del read["sessions"]  # as many as other tests have left: the planner scans this table while it is small
    assert read.total() <= 100, read


def test_right_after_an_ingest_a_request_reads_few_rows_and_pages(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    """Nothing is vacuumed after everything has changed: neither members and accounts, nor the figures themselves."""
    staff, uids = members.staff(), [f"uid-overview-{number}" for number in range(2_000)]
    insert = "INSERT INTO users (uid, username, email, password) SELECT uid, uid, uid || '@crowd.example', 'x'"
    with database.connect() as connection:
        connection.execute(sa.text(f"{insert} FROM unnest(CAST(:uids AS text[])) uid"), {"uids": uids})
    ingesting = Ingesting(database)
    for hour in range(3):
        ingesting.ingest(NOW + hour * timedelta(hours=1), dict.fromkeys(uids, f"{10_000 * hour}"))
        for second in range(10):
            count(functions, NOW + timedelta(hours=hour, seconds=second))
        with Requests(db.engine()) as requests:
            assert functions.call("get_overview", by=staff, now=NOW).status == 200
        read, pages = requests.count()
        del read["sessions"]  # as many as other tests have left: the planner scans this table while it is small
        assert len(requests.statements) <= 2
        assert 0 < read.total() <= 100, read
        assert pages <= 60
    ingesting.remove_all()
    fill(database, "DELETE FROM member_tiers", "DELETE FROM users WHERE email LIKE '%@crowd.example'")


@pytest.mark.parametrize(("expired", "most"), [(1_000, 1_120), (100_000, 20)])  # a small table may be read whole
def test_of_the_codes_only_live_ones_are_read(
    servers: stack.Stack, database: sa.Engine, expired: int, most: int
) -> None:
    issue = (
        "INSERT INTO bonus_codes (code, code_key, value, expires_at, revoked_at) SELECT {tag} || n, {tag} || n, 1,"
        " '2026-05-01 12:00'::timestamp + {days} * interval '1 day', {revoked} FROM generate_series(1, {count}) AS n"
    )
    fill(
        database,
        issue.format(tag="'expired-'", days="-n % 365", revoked="NULL", count=expired),
        issue.format(tag="'revoked-'", days="1", revoked="'2026-05-01'::timestamp", count=expired // 10),
        issue.format(tag="'live-'", days="n", revoked="NULL", count=20),
    )
    url = servers.direct(os.environ["TEST_DATABASE"], "jobs")
    read = rows_read(url, sa.select(domain._outstanding), {"now": NOW})
    assert 20 <= read["bonus_codes"] <= most
    fill(database, "DELETE FROM bonus_codes")


def test_counting_scans_only_the_members_and_the_ledger(servers: stack.Stack, crowd: None) -> None:
    url = servers.direct(os.environ["TEST_DATABASE"], "jobs")
    assert BIG & read_whole(plan(url, sa.select(domain._counted), {"now": NOW})) == {"users", "rewards"}
