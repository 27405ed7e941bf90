"""The round trips of each request, on a warm connection through the pooler."""

import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db, light_db
from goatedvips.domain.accounts import passwords
from goatedvips.domain.notifications import mailed_tokens, unsubscribe_tokens
from goatedvips.domain.privacy import erasure
from goatedvips.domain.privacy.holdings import HOLDINGS
from goatedvips.domain.wheel import fairness
from goatedvips.light_connection import Database
from goatedvips.postgres_server import Server
from tests.support import stack
from tests.support.campaigns import Campaigns
from tests.support.codes import Codes
from tests.support.edges import use
from tests.support.functions import Functions, load
from tests.support.lives import PASSWORD, STORED
from tests.support.members import Members
from tests.support.races import END, START, Races
from tests.support.readings import Readings
from tests.support.spins import remove_versions
from tests.support.tiers import Tiers
from tests.support.wire import Wire


@pytest.fixture
def wire(servers: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A proxy that the handlers connect through; it counts round trips."""
    wire = Wire(servers.pooler or servers.postgres)
    url = sa.make_url(os.environ["DATABASE_URL"]).set(port=wire.port)
    engine = use(monkeypatch, url.render_as_string(hide_password=False))
    server = Server(url.render_as_string(), iam=False, ca_file="", timeout=10.0)
    monkeypatch.setattr(load("authorize"), "database", Database(server))
    with db.reading() as connection:
        connection.execute(sa.text("select 1"))
    light_db.database().open()
    yield wire
    engine.dispose()
    wire.close()


def trips(wire: Wire, functions: Functions, name: str, status: int, **changes: Any) -> int:
    """Return the round trips of a call, which must be answered with this status."""
    before = wire.trips
    answer = functions.call(name, **changes)
    assert answer.status == status, answer.text
    return wire.trips - before


@pytest.mark.parametrize("drawn", [0, 6], ids=["win", "loss"])
def test_a_spin_needs_two_round_trips_and_four_with_a_key(
    wire: Wire, functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch, drawn: int
) -> None:
    monkeypatch.setattr(fairness, "draw", lambda *_: drawn)
    assert trips(wire, functions, "spin_wheel", 201, by=members.new()) == 2
    assert trips(wire, functions, "spin_wheel", 201, by=members.new(), headers={"idempotency-key": "k"}) == 4


def test_a_wheel_is_read_in_one_round_trip(wire: Wire, functions: Functions, members: Members) -> None:
    assert trips(wire, functions, "get_wheel", 200) == 1
    assert trips(wire, functions, "get_my_wheel", 200, by=members.new()) == 1


def test_spins_and_seeds_are_read_and_a_seed_is_rotated_in_one_round_trip(
    wire: Wire, functions: Functions, members: Members
) -> None:
    """A rotation that is refused looks once more for the seed of a concurrent rotation, then for the reason."""
    member = members.new()
    assert trips(wire, functions, "rotate_seed", 409, by=member) == 4
    spin = functions.call("spin_wheel", by=member).json
    assert trips(wire, functions, "list_spins", 200, by=member) == 1
    assert trips(wire, functions, "get_spin", 200, by=member, path=f"/v1/wheel/spins/{spin['id']}") == 1
    assert trips(wire, functions, "list_seeds", 200, by=member) == 1
    assert trips(wire, functions, "rotate_seed", 201, by=member) == 1


def test_a_wheel_is_published_in_one_round_trip(
    wire: Wire, functions: Functions, members: Members, database: sa.Engine
) -> None:
    try:
        assert trips(wire, functions, "publish_wheel", 201, by=members.staff()) == 1
    finally:
        remove_versions(database)


def test_tiers_are_read_in_one_round_trip_and_published_in_three(
    wire: Wire, functions: Functions, members: Members, database: sa.Engine
) -> None:
    """Publishing waits for an ingest, then for all who write members, before it reads them."""
    assert trips(wire, functions, "list_tiers", 200) == 1
    try:
        assert trips(wire, functions, "publish_tiers", 201, by=members.staff()) == 3
    finally:
        Tiers(database).remove_versions()


def test_a_caller_is_authenticated_in_one_round_trip_and_two_once_in_five_minutes(
    wire: Wire, functions: Functions, members: Members
) -> None:
    payload = {"identitySource": [f"Bearer {members.new().token}"]}
    functions.invoke("authorize", {"identitySource": [f"Bearer {members.new().token}"]})  # connects
    assert wire.count(lambda: functions.invoke("authorize", payload)) == 2, "it records activity"
    assert wire.count(lambda: functions.invoke("authorize", payload)) == 1
    assert wire.count(lambda: functions.invoke("authorize", {"identitySource": ["Bearer of bad news"]})) == 0


def test_registering_needs_four_round_trips_and_logging_in_three(wire: Wire, functions: Functions) -> None:
    """Two count the attempt under its advisory lock, one acts; registering also looks for an erased identity."""
    name, network = f"goat-{secrets.token_hex(6)}", f"2001:db8:{secrets.randbelow(65536):x}::1"
    body = {"username": name, "email": f"{name}@example.com", "password": "goats like long walks"}
    assert trips(wire, functions, "register", 201, body=body, address=network) == 4
    body = {"login": name, "password": "goats like long walks"}
    assert trips(wire, functions, "log_in", 201, body=body, address=network) == 3
    body["password"] = "wrong"
    assert trips(wire, functions, "log_in", 401, body=body, address=network) == 2


def test_a_member_and_the_health_are_read_in_one_round_trip(wire: Wire, functions: Functions, members: Members) -> None:
    assert trips(wire, functions, "get_me", 200, by=members.new()) == 1
    assert trips(wire, functions, "get_health", 200) == 1


def test_a_profile_takes_one_round_trip_each_to_be_changed_and_to_be_read(
    wire: Wire, functions: Functions, members: Members
) -> None:
    member = members.new()
    assert trips(wire, functions, "update_me", 200, by=member, body={"bio": "Grass."}) == 1
    assert trips(wire, functions, "get_profile", 200, path=f"/v1/users/{member.id}") == 1


def test_an_exclusion_takes_one_round_trip_each_to_begin_and_to_end(
    wire: Wire, functions: Functions, members: Members
) -> None:
    member = members.new()
    assert trips(wire, functions, "end_exclusion", 204, by=member) == 1
    assert trips(wire, functions, "exclude_me", 201, by=member, body={"days": 2}) == 1
    assert trips(wire, functions, "exclude_me", 201, by=member, body={"days": 3}, headers={"idempotency-key": "k"}) == 3


def test_a_link_is_requested_listed_and_decided_in_one_round_trip_each(
    wire: Wire, functions: Functions, members: Members
) -> None:
    staff = members.staff()
    for decision in ("refused", "approved"):
        member = members.new()
        assert trips(wire, functions, "link_account", 202, by=member, body={"uid": secrets.token_hex(8)}) == 1
        assert trips(wire, functions, "list_links", 200, by=staff) == 1
        link_id = functions.call("list_links", by=staff, query={"limit": "100"}).json["items"][-1]["id"]
        path, body = f"/v1/admin/account-links/{link_id}/decision", {"decision": decision, "reason": "So."}
        assert trips(wire, functions, "decide_link", 200, by=staff, path=path, body=body) == 1


def test_a_mailed_token_is_used_in_two_round_trips(wire: Wire, functions: Functions, members: Members) -> None:
    member, now = members.new(email_verified=False), datetime.now(UTC)
    with db.transaction() as connection:
        token = mailed_tokens.make_for_member(connection, member.id, member.email, now=now)
        email = f"new-{member.email}"
        change = mailed_tokens.make_for_change(connection, member.id, email, asked_at=now, now=now)
    assert trips(wire, functions, "verify_email", 200, body={"token": token}) == 2
    assert trips(wire, functions, "verify_email", 200, body={"token": change}) == 2


def test_mail_is_requested_in_two_round_trips_whether_or_not_it_is_sent(
    wire: Wire, functions: Functions, members: Members
) -> None:
    """One to take the advisory lock, and one to act."""
    verified, suspended = members.new(), members.new(suspended_at=datetime.now(UTC))
    for email in (verified.email, suspended.email, f"{secrets.token_hex(6)}@example.com", *[verified.email] * 3):
        assert trips(wire, functions, "request_password_reset", 202, body={"email": email}) == 2
    for member in (verified, members.new(email_verified=False)):
        assert trips(wire, functions, "request_verification", 202, by=member) == 2


def test_a_password_is_reset_in_three_round_trips_and_changed_in_five(
    wire: Wire, functions: Functions, members: Members
) -> None:
    """One reads the names, two count the guess under its advisory lock, and two change it and end the sessions."""
    password, now = "goats like long walks", datetime.now(UTC)
    member, other = (members.new(password=passwords.hash_password(password, legacy=False)) for _ in range(2))
    with db.transaction() as connection:
        token = mailed_tokens.make_for_reset(connection, member.id, member.email, asked_at=now, now=now)
    body = {"current_password": password, "new_password": "sheep prefer short ones"}
    assert trips(wire, functions, "change_password", 401, by=member, body=body | {"current_password": "x"}) == 3
    assert trips(wire, functions, "change_password", 204, by=other, body=body) == 5
    by_token = {"token": token, "password": "sheep prefer short ones"}
    assert trips(wire, functions, "reset_password", 204, body=by_token) == 3
    assert trips(wire, functions, "reset_password", 404, body=by_token) == 1


def test_an_email_change_is_requested_in_six_round_trips(wire: Wire, functions: Functions, members: Members) -> None:
    """Two each to count it as a registration, as a guess and as a mail, each under its advisory lock."""
    password = "goats like long walks"
    member = members.new(password=passwords.hash_password(password, legacy=False))
    body = {"email": f"new-{member.email}", "current_password": password}
    network = f"2001:db8:{secrets.randbelow(65536):x}::1"
    assert trips(wire, functions, "change_email", 202, by=member, body=body, address=network) == 6
    body["email"] = members.new().email
    assert trips(wire, functions, "change_email", 409, by=member, body=body, address=network) == 6


def test_a_member_logs_out_in_one_round_trip(wire: Wire, functions: Functions, members: Members) -> None:
    assert trips(wire, functions, "log_out", 204, by=members.new()) == 1


def test_an_export_needs_a_round_trip_for_each_table_and_an_erasure_little_more(
    wire: Wire, functions: Functions, members: Members
) -> None:
    """A member needs these at most once; what matters is that the number does not grow with the rows."""
    members.staff()
    member = members.new(password=STORED)
    tables = len(HOLDINGS)
    assert trips(wire, functions, "export_me", 200, by=member) == tables + 2
    statements = len([*erasure._erase_tables, *erasure._scrub_emails])
    assert trips(wire, functions, "erase_me", 204, by=member, body={"password": PASSWORD}) == statements + 14


def test_staff_read_in_one_round_trip_and_change_a_member_in_two(
    wire: Wire, functions: Functions, members: Members
) -> None:
    """One to lock the caller's and the member's rows, and one to act."""
    staff, member = members.staff(), members.new()
    path = f"/v1/admin/members/{member.id}"
    assert trips(wire, functions, "list_members", 200, by=staff, query={"q": member.username}) == 1
    assert trips(wire, functions, "get_member", 200, by=staff, path=path) == 1
    assert trips(wire, functions, "get_overview", 200, by=staff) == 1
    for body in ({"suspended": True, "reason": "So."}, {"suspended": False}, {"is_admin": True}):
        assert trips(wire, functions, "update_member", 200, by=staff, path=path, body=body) == 2
    assert wire.count(lambda: functions.invoke("grant_staff", {"username": member.username})) == 1


def test_a_subscription_takes_two_round_trips_whatever_its_state(wire: Wire, functions: Functions) -> None:
    email = f"{secrets.token_hex(6)}@example.com"
    for _ in range(3):
        assert trips(wire, functions, "subscribe", 202, body={"email": email}) == 2
    assert trips(wire, functions, "confirm_subscription", 404, body={"token": "nobody's"}) == 1


def test_a_claim_takes_one_round_trip_three_with_a_key_and_three_to_be_refused_whatever_the_reason(
    wire: Wire, functions: Functions, members: Members
) -> None:
    def issue(**terms: object) -> dict[str, str]:
        given = {"value": "5.00", "expires_at": "2099-01-01T00:00:00Z"} | terms
        return {"code": functions.call("issue_codes", by=members.staff(), body=given).json["code"]}

    member, code = members.new(), issue()
    assert trips(wire, functions, "claim_code", 201, by=member, body=code) == 1
    assert trips(wire, functions, "claim_code", 200, by=member, body=code) == 1
    key = {"idempotency-key": "k"}
    assert trips(wire, functions, "claim_code", 201, by=members.new(), body=code, headers=key) == 3
    for refused in (issue(user_id=member.id), issue(starts_at="2098-01-01T00:00:00Z"), {"code": "absent"}):
        assert trips(wire, functions, "claim_code", 404, by=members.new(), body=refused) == 3
    assert trips(wire, functions, "list_codes", 200, by=member) == 1
    assert trips(wire, functions, "list_notifications", 200, by=member) == 1
    assert trips(wire, functions, "get_preferences", 200, by=member) == 1
    assert trips(wire, functions, "update_preferences", 200, by=member) == 1
    assert trips(wire, functions, "add_push_subscription", 201, by=member) == 2, "the first takes a lock"
    assert trips(wire, functions, "remove_push_subscription", 204, by=member) == 1


def test_codes_that_cannot_be_claimed_are_refused_by_the_same_statements_in_the_same_trips_and_bytes(
    wire: Wire, functions: Functions, members: Members, codes: Codes
) -> None:
    """Only the member's own log-in and the id of the request differ, and these have one length here."""
    now, member = datetime.now(UTC), members.new()
    day = timedelta(days=1)
    refused = {
        "exhausted": codes.new(max_claims=1, claims=1, is_used=True).code,
        "expired": codes.new(expires_at=now - day).code,
        "not started": codes.new(starts_at=now + day).code,
        "another's": codes.new(user_id=members.new().id, max_claims=1).code,
        "revoked": codes.new(revoked_at=now).code,
    }
    refused["absent"] = f"CODE-{secrets.token_hex(8)}"
    assert len({len(code) for code in refused.values()}) == 1
    seen = {}
    functions.call("claim_code", by=member, body={"code": "connects"})
    for reason, code in refused.items():
        before = len(wire.sent)
        answer = functions.call("claim_code", by=member, body={"code": code}, now=now, address="198.51.100.7")
        trips = [re.sub(rb"(?i)code-[0-9a-f]{16}", b"", sent) for sent in wire.sent[before:]]
        document = answer.json | {"request_id": ""}
        headers = answer.headers | {"X-Request-Id": ""}
        seen[reason] = (answer.status, document, headers, len(answer.text), [len(sent) for sent in trips], trips)
    assert len(seen["absent"][-1]) == 3
    for reason, found in seen.items():
        assert found == seen["absent"], reason


def test_a_code_is_issued_in_three_round_trips_two_of_them_for_the_required_key(
    wire: Wire, functions: Functions, members: Members
) -> None:
    body = {"value": "5.00", "expires_at": "2099-01-01T00:00:00Z"}
    assert trips(wire, functions, "issue_codes", 201, by=members.staff(), body=body) == 3


def test_tickets_take_one_round_trip_to_be_read_and_one_or_two_to_be_written(
    wire: Wire, functions: Functions, members: Members
) -> None:
    member, body = members.new(), {"subject": "Help", "description": "Please."}
    assert trips(wire, functions, "open_ticket", 201, by=member, body=body) == 2
    assert trips(wire, functions, "open_ticket", 201, by=member, body=body, headers={"idempotency-key": "k"}) == 4
    ticket = functions.call("list_tickets", by=member).json["items"][0]
    assert trips(wire, functions, "list_tickets", 200, by=member) == 1
    path = f"/v1/tickets/{ticket['id']}"
    assert trips(wire, functions, "get_ticket", 200, by=member, path=path) == 1
    staff, message = members.staff(), {"message": "Hello?"}
    # Two, because a reply locks the ticket before it looks for newer messages.
    assert trips(wire, functions, "reply_ticket", 201, by=staff, path=f"{path}/messages", body=message) == 2
    admin = f"/v1/admin/tickets/{ticket['id']}"
    assert trips(wire, functions, "triage_ticket", 200, by=staff, path=admin, body={"priority": "high"}) == 2
    assert trips(wire, functions, "close_ticket", 200, by=member, path=f"{path}/closure") == 1
    assert trips(wire, functions, "list_ticket_queue", 200, by=staff, query={"status": "closed"}) == 1
    assert trips(wire, functions, "list_ticket_queue", 200, by=staff, query={"q": "help"}) == 1


def test_a_race_takes_one_round_trip_each_to_be_made_joined_left_and_read(
    wire: Wire, functions: Functions, members: Members
) -> None:
    body = {
        "title": "Counted",
        "type": "weekly",
        "prize_pool": "100.00",
        "start_date": "2099-01-01T00:00:00Z",
        "end_date": "2099-01-08T00:00:00Z",
        "min_wager": "0.00",
        "prize_distribution": {"1": 100},
    }
    staff = members.staff()
    assert trips(wire, functions, "create_race", 201, by=staff, body=body) == 1
    race = functions.call("create_race", by=staff, body=body).json["id"]
    joining = f"/v1/races/{race}/participants"
    member = members.new()
    assert trips(wire, functions, "join_race", 201, by=member, path=joining) == 1
    assert trips(wire, functions, "join_race", 200, by=member, path=joining) == 1
    key = {"idempotency-key": "k"}
    assert trips(wire, functions, "join_race", 201, by=members.new(), path=joining, headers=key) == 3
    standing = f"/v1/races/{race}/standing"
    assert trips(wire, functions, "get_standing", 200, by=member, path=standing, query={"around": "5"}) == 1
    assert trips(wire, functions, "leave_race", 204, by=member, path=f"{joining}/me") == 1
    assert trips(wire, functions, "list_races", 200) == 1
    assert trips(wire, functions, "get_race", 200, path=f"/v1/races/{race}") == 1
    assert trips(wire, functions, "get_leaderboard", 200, path=f"/v1/races/{race}/leaderboard") == 1
    assert trips(wire, functions, "get_wager_leaderboard", 200, path="/v1/leaderboards/week") == 1
    assert trips(wire, functions, "list_statements", 200, by=member) == 1


def test_a_campaign_is_changed_in_two_round_trips_and_previewed_in_two(
    wire: Wire, functions: Functions, members: Members, campaigns: Campaigns
) -> None:
    """The change locks the campaign first; a preview needs to know the audience."""
    staff, campaign_id = members.staff(), campaigns.new(status="draft")
    path = f"/v1/admin/campaigns/{campaign_id}"
    body = {"audience": "newsletter", "subject": "News", "body": "Hello"}
    assert trips(wire, functions, "create_campaign", 201, by=staff, body=body) == 1
    assert trips(wire, functions, "update_campaign", 200, by=staff, path=path, body={"subject": "New"}) == 2
    assert trips(wire, functions, "list_campaigns", 200, by=staff) == 1
    assert trips(wire, functions, "test_campaign", 202, by=staff, path=f"{path}/test") == 1
    assert trips(wire, functions, "get_campaign", 200, by=staff, path=path) == 2
    sent = campaigns.new(status="sent", queued_at=START)
    assert trips(wire, functions, "get_campaign", 200, by=staff, path=f"/v1/admin/campaigns/{sent}") == 1


def test_a_race_is_changed_in_two_round_trips_and_cancelled_in_one(
    wire: Wire, functions: Functions, members: Members, races: Races
) -> None:
    """The change locks the race first, so that it sees whether the race has a successor."""
    staff, race_id = members.staff(), races.new(end_date=datetime.now(UTC) + timedelta(days=1))
    path = f"/v1/admin/races/{race_id}"
    assert trips(wire, functions, "update_race", 200, by=staff, path=path, body={"rules": "New."}) == 2
    member = members.new()
    races.enter(race_id, member.id)
    disqualified = {"disqualified": True, "reason": "Two accounts."}
    participant = f"{path}/participants/{member.id}"
    assert trips(wire, functions, "update_participant", 200, by=staff, path=participant, body=disqualified) == 5
    assert trips(wire, functions, "update_participant", 200, by=staff, path=participant, body=disqualified) == 4
    assert trips(wire, functions, "cancel_race", 200, by=staff, path=f"{path}/cancellation") == 1
    assert trips(wire, functions, "cancel_race", 200, by=staff, path=f"{path}/cancellation") == 1


def test_a_settlement_needs_six_round_trips_and_a_dry_run_four_however_many_take_part(
    wire: Wire, functions: Functions, members: Members, races: Races, readings: Readings
) -> None:
    """Take the race, fix the feeds, write ranks, write the results, read the report, commit."""
    staff, path = members.staff(), "/v1/admin/races/{}/settlement"
    needed = set()
    for number in (1, 20):
        race_id = races.new()
        uids = {f"uid-{race_id}-{one}": "1" for one in range(number)}
        for uid in uids:
            races.enter(race_id, members.new(seeds=False, uid=uid).id)
        readings.feed(START, uids)
        readings.feed(END, dict.fromkeys(uids, "100"))
        of_race = path.format(race_id)
        needed.add(
            (
                trips(wire, functions, "settle_race", 200, by=staff, path=of_race, body={"dry_run": True}),
                trips(wire, functions, "settle_race", 200, by=staff, path=of_race, body={}),
                trips(wire, functions, "settle_race", 200, by=staff, path=of_race, body={}),
            )
        )
    assert needed == {(4, 6, 5)}
    assert trips(wire, functions, "list_past_races", 200) == 1
    archived = f"/v1/races/history/{races.archive()}"
    assert trips(wire, functions, "get_past_race", 200, path=archived) == 1


def test_the_feed_is_seen_in_two_round_trips_and_accepted_in_one_and_a_fall_in_three(
    wire: Wire, functions: Functions, members: Members, readings: Readings
) -> None:
    """The first two of a fall wait for an ingest, and for settlements of races whose bases change."""
    staff, now = members.staff(), datetime.now(UTC)
    for hours, total in ((2, "100"), (1, "90")):
        readings.feed(now - timedelta(hours=hours), {"round-trip": total}, is_whole=False, problem="uids_missing")
    assert trips(wire, functions, "get_feed", 200, by=staff) == 2
    assert trips(wire, functions, "accept_feed", 200, by=staff, body={"reason": "They left."}) == 1
    body = {"uid": "round-trip", "total": "90", "reason": "A bonus was taken back."}
    assert trips(wire, functions, "accept_feed", 200, by=staff, body=body) == 3


def test_unsubscribing_and_the_list_of_subscriptions_need_one_round_trip(
    wire: Wire, functions: Functions, members: Members, database: sa.Engine
) -> None:
    with database.connect() as connection:
        token = unsubscribe_tokens.sign(connection, "newsletter", f"{secrets.token_hex(8)}@example.com")
    for method in ("GET", "HEAD", "POST", "POST"):
        assert trips(wire, functions, "unsubscribe", 200, method=method, query={"token": token}) == 1, method
    assert trips(wire, functions, "unsubscribe", 404, query={"token": token[:-2]}) <= 2
    functions.call("subscribe", body={"email": f"{secrets.token_hex(8)}@example.com"})
    for form in ("json", "csv"):
        assert trips(wire, functions, "list_subscriptions", 200, by=members.staff(), query={"format": form}) == 1
