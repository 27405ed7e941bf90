"""Both applications on one adopted database at once: what one does, the other sees and heeds."""

import secrets
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import light_db
from goatedvips.light_connection import Database
from goatedvips.models.every import metadata
from goatedvips.models.rewards import rewards
from goatedvips.postgres_server import Server
from tests.support import stack
from tests.support.edges import use
from tests.support.functions import Functions, load
from tests.support.legacy.application import PASSWORD, Adopted, Checksum, LegacyApplication, checksum
from tests.support.members import Member, Members

pytestmark = pytest.mark.xdist_group("node")

# What the legacy application would ask before a spin.
TODAYS_SPINS = """
db.select().from(wheelSpins).where(and(
    eq(wheelSpins.userId, userId), gte(wheelSpins.timestamp, new Date(new Date().setUTCHours(0, 0, 0, 0)))))
"""
SPIN = "db.insert(wheelSpins).values({userId, segmentIndex: 3}).returning()"
NEW_RACE = """
db.insert(wagerRaces).values({
    title: "Theirs", type: "weekly", status: "live", prizePool: "100", minWager: "0", prizeDistribution: {1: 100},
    startDate: new Date(Date.now() - 3600e3), endDate: new Date(Date.now() + 3600e3),
}).returning()
"""
VERIFY = """
((key, salt) => crypto.timingSafeEqual(Buffer.from(key, "hex"), crypto.scryptSync(password, salt, 64)))(
    ...stored.split("."))
"""
# An insert whose transaction goes on for a while.
SLOWLY = """
db.transaction(async (tx) => {
    const made = await tx.insert(INTO).values(VALUES).returning();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return made;
})
"""
# What awkward_rows.sql writes.
ADOPTED_RACES = {"wager_races": "id <= 6", "wager_race_participants": "id <= 1010", "historical_races": "id <= 2"}


@pytest.fixture
def database(adopted: Adopted) -> sa.Engine:
    return adopted.database.execution_options(isolation_level="AUTOCOMMIT")


@pytest.fixture
def functions(
    adopted: Adopted, servers: stack.Stack, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Functions]:
    """Our functions, on this database."""
    url = servers.pooled(str(adopted.database.url.database))
    engine = use(monkeypatch, url)
    server = Server(url, iam=False, ca_file="", timeout=10)
    monkeypatch.setattr(load("authorize"), "database", Database(server))
    yield functions
    engine.dispose()
    light_db.database().close()


def set_legacy(monkeypatch: pytest.MonkeyPatch, function: str, *, on: bool) -> None:
    module = load(function)
    monkeypatch.setattr(module, "settings", replace(module.settings, legacy_app=on))


def signed_in(functions: Functions, username: str, password: str = PASSWORD) -> Member:
    """A member whom our log-in lets in."""
    answer = functions.call("log_in", body={"login": username, "password": password})
    assert answer.status == 201, answer.text
    token, user = answer.json["token"], answer.json["user"]
    context = functions.invoke("authorize", {"identitySource": [f"Bearer {token}"]})["context"]
    return Member(user["id"], user["username"], user["email"], context["session_id"], token, context["is_staff"])


def stored_password(old: LegacyApplication, member_id: int) -> str:
    found = old.run("db.query.users.findFirst({where: eq(users.id, id), columns: {password: true}})", id=member_id)
    return str(found["password"])


# Members and their passwords


def test_a_hash_by_node_logs_in_and_is_replaced_once_the_legacy_application_is_gone(
    old: LegacyApplication, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    newcomer = old.register()
    for username in ("veteran", newcomer["username"]):
        before = old.run("db.query.users.findFirst({where: eq(users.username, username)})", username=username)
        set_legacy(monkeypatch, "log_in", on=True)
        member = signed_in(functions, username)
        assert stored_password(old, member.id) == before["password"]
        set_legacy(monkeypatch, "log_in", on=False)
        signed_in(functions, username.upper())
        assert stored_password(old, member.id).startswith("$argon2id$")
        signed_in(functions, username)
        refused = functions.call("log_in", body={"login": username, "password": PASSWORD.upper()})
        assert refused.status == 401


@pytest.mark.parametrize("password", ["correct horse battery", "\u03a3\u00ef\u0301sy\U0001f410phos rolls", "x" * 128])
def test_a_hash_of_ours_is_verified_by_node_while_the_legacy_application_runs(
    old: LegacyApplication, functions: Functions, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    name = f"New-{secrets.token_hex(6)}"
    set_legacy(monkeypatch, "register", on=True)
    set_legacy(monkeypatch, "log_in", on=True)
    given = {"username": name, "email": f"{name}@example.com", "password": password}
    account = functions.call("register", body=given)
    assert account.status == 201
    found = old.run("db.query.users.findFirst({where: eq(users.username, name)})", name=name)
    assert found["id"] == account.json["id"]
    assert (found["email"], found["isAdmin"], found["emailVerified"]) == (given["email"], False, False)
    stored = found["password"]
    assert old.run(VERIFY, stored=stored, password=unicodedata.normalize("NFC", password))
    assert not old.run(VERIFY, stored=stored, password=password + "x")
    assert signed_in(functions, name, password).id == account.json["id"]
    assert stored_password(old, account.json["id"]) == stored


def test_a_name_that_one_application_gave_away_the_other_does_not_give_again(
    old: LegacyApplication, functions: Functions
) -> None:
    username = old.register()["username"]
    taken = functions.call(
        "register",
        body={"username": username.upper(), "email": f"x{username}@example.com", "password": "four dancing goats"},
    )
    assert (taken.status, taken.json["code"]) == (409, "username_taken")
    ours = f"Ours-{secrets.token_hex(6)}"
    body = {"username": ours, "email": f"{ours}@example.com", "password": "four dancing goats"}
    assert functions.call("register", body=body).status == 201
    with pytest.raises(RuntimeError, match="users_username_unique"):
        old.register(ours)


# The wheel


def test_who_spins_in_the_legacy_application_has_had_their_spin_of_the_day(
    old: LegacyApplication, functions: Functions
) -> None:
    member = signed_in(functions, old.register()["username"])
    (spin,) = old.run(SPIN, userId=member.id)
    refused = functions.call("spin_wheel", by=member, body={})
    assert (refused.status, refused.json["code"], refused.json["spin_id"]) == (409, "already_spun", spin["id"])
    assert functions.call("get_my_wheel", by=member).json["next_spin_at"] is not None
    assert len(old.run(TODAYS_SPINS, userId=member.id)) == 1


def test_a_spin_of_ours_is_seen_by_the_legacy_application(old: LegacyApplication, functions: Functions) -> None:
    member = signed_in(functions, old.register()["username"])
    spun = functions.call("spin_wheel", by=member, body={})
    assert spun.status == 201
    (seen,) = old.run(TODAYS_SPINS, userId=member.id)
    assert (seen["id"], seen["segmentIndex"]) == (spun.json["id"], spun.json["segment_index"])
    assert seen["rewardCode"] == spun.json["reward_code"]
    old.run(SPIN, userId=member.id)  # it does not look, and is not refused
    again = functions.call("spin_wheel", by=member, body={})
    assert (again.status, again.json["spin_id"]) == (409, spun.json["id"])


@contextmanager
def under_way(old: LegacyApplication, database: sa.Engine, table: str, values: str, **given: object) -> Iterator[None]:
    """While this is open, the legacy application has inserted a row and not committed."""
    old.begin(SLOWLY.replace("INTO", table).replace("VALUES", values), **given)
    opened = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    with database.connect() as connection:
        while not connection.execute(sa.text(opened)).scalar_one():
            time.sleep(0.01)
    yield
    old.end()


def test_a_spin_under_way_in_the_legacy_application_is_waited_for(
    old: LegacyApplication, functions: Functions, database: sa.Engine
) -> None:
    member = signed_in(functions, old.register()["username"])
    with under_way(old, database, "wheelSpins", "{userId, segmentIndex: 3}", userId=member.id):
        refused = functions.call("spin_wheel", by=member, body={})
    (spin,) = old.run(TODAYS_SPINS, userId=member.id)
    assert (refused.status, refused.json["code"], refused.json["spin_id"]) == (409, "already_spun", spin["id"])


def test_a_registration_under_way_in_the_legacy_application_is_waited_for(
    old: LegacyApplication, functions: Functions, database: sa.Engine
) -> None:
    name = f"Slow-{secrets.token_hex(6)}"
    body = {"username": name.upper(), "email": f"x{name}@example.com", "password": "four dancing goats"}
    with under_way(old, database, "users", '{username: name, email: name, password: "x"}', name=name):
        refused = functions.call("register", body=body)
    assert (refused.status, refused.json["code"]) == (409, "username_taken")


# Bonus codes


def issue(functions: Functions, staff: Member, **terms: object) -> str:
    body = {"value": "5.00", "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()} | terms
    answer = functions.call("issue_codes", by=staff, body=body)
    assert answer.status == 201, answer.text
    return str(answer.json["code"])


def test_a_code_of_ours_that_the_legacy_application_hands_out_is_used_up(
    old: LegacyApplication, functions: Functions, members: Members
) -> None:
    code, member = issue(functions, members.staff(), max_claims=1), members.new()
    found = old.run("db.query.bonusCodes.findFirst({where: eq(bonusCodes.code, code)})", code=code)
    assert (found["isUsed"], found["userId"]) == (False, None)
    old.run(
        "db.update(bonusCodes).set({isUsed: true, userId, claimedAt: new Date()}).where(eq(bonusCodes.code, code))",
        userId=old.register()["id"],
        code=code,
    )
    refused = functions.call("claim_code", by=member, body={"code": code})
    assert (refused.status, refused.json["code"]) == (404, "code_not_claimable")


def test_a_code_that_is_claimed_here_reads_used_there(
    old: LegacyApplication, functions: Functions, members: Members
) -> None:
    member = members.new()
    legacy_code = f"GIFT-{secrets.token_hex(6)}"
    old.run(
        "db.insert(bonusCodes).values({code, userId, expiresAt: new Date(Date.now() + 3600e3)})",
        code=legacy_code,
        userId=member.id,
    )
    ours = issue(functions, members.staff(), max_claims=1)
    for code in (legacy_code, ours):
        assert functions.call("claim_code", by=members.new(), body={"code": legacy_code}).status == 404
        assert functions.call("claim_code", by=member, body={"code": code.lower().replace("-", " ")}).status == 201
        found = old.run("db.query.bonusCodes.findFirst({where: eq(bonusCodes.code, code)})", code=code)
        assert (found["isUsed"], found["userId"]) == (True, member.id)
        assert found["claimedAt"][:10] == datetime.now(UTC).date().isoformat()


# Races


def test_both_let_members_into_the_same_race(old: LegacyApplication, functions: Functions, members: Members) -> None:
    (race,) = old.run(NEW_RACE)
    ours, legacy_member = members.new(), signed_in(functions, old.register()["username"])
    members.change(legacy_member, email_verified=True)
    path = f"/v1/races/{race['id']}/participants"
    assert functions.call("join_race", by=ours, path=path).status == 201
    old.run(
        'db.insert(wagerRaceParticipants).values({raceId, userId, totalWager: "7.5", rank: 1})',
        raceId=race["id"],
        userId=legacy_member.id,
    )
    again = functions.call("join_race", by=legacy_member, path=path)
    assert (again.status, again.json["total_wager"], again.json["rank"]) == (200, "7.50", 1)

    (seen,) = old.run(
        "db.query.wagerRaces.findMany({where: and(eq(wagerRaces.status, 'live'), eq(wagerRaces.id, id)),"
        " with: {participants: true}})",
        id=race["id"],
    )
    assert {part["userId"]: float(part["totalWager"]) for part in seen["participants"]} == {
        ours.id: 0,
        legacy_member.id: 7.5,
    }
    standings = functions.call("get_leaderboard", path=f"/v1/races/{race['id']}/leaderboard").json["items"]
    assert [(part["user_id"], part["total_wager"]) for part in standings] == [
        (legacy_member.id, "7.50"),
        (ours.id, "0.00"),
    ]


def test_a_race_of_ours_is_one_of_theirs(old: LegacyApplication, functions: Functions, members: Members) -> None:
    now = datetime.now(UTC)
    body = {
        "title": "Ours",
        "type": "weekly",
        "prize_pool": "500.00",
        "start_date": now.isoformat(),
        "end_date": (now + timedelta(days=7)).isoformat(),
        "min_wager": "0.00",
        "prize_distribution": {"1": 50, "2": 30.5},
    }
    race = functions.call("create_race", by=members.staff(), body=body)
    assert race.status == 201, race.text
    found = old.run("db.query.wagerRaces.findFirst({where: eq(wagerRaces.id, id)})", id=race.json["id"])
    assert (found["status"], found["prizePool"]) == ("live", "500.00")
    assert found["prizeDistribution"] == {"1": 50, "2": 30.5}


def clock(functions: Functions, now: datetime) -> Any:
    return functions.invoke("advance_races", {"scheduled_time": now.isoformat()}, now=now)


def adopted_races(adopted: Adopted, **conditions: str) -> list[Checksum]:
    return [
        checksum(adopted.database, table, adopted.columns[table], condition)
        for table, condition in (ADOPTED_RACES | conditions).items()
    ]


def test_races_that_ended_before_the_adoption_count_as_settled(adopted: Adopted) -> None:
    with adopted.database.connect() as connection:
        settled = connection.execute(sa.text("SELECT title FROM wager_races WHERE id <= 6 AND settled_at IS NOT NULL"))
        assert set(settled.scalars()) == {"January", "Forgotten", "Backwards"}


def test_the_clock_changes_no_race_of_the_legacy_application_while_that_runs(
    adopted: Adopted, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = adopted_races(adopted)
    set_legacy(monkeypatch, "advance_races", on=True)
    for later in (timedelta(), timedelta(days=30)):
        clock(functions, datetime.now(UTC) + later)
        assert adopted_races(adopted) == before


def test_the_clock_never_changes_a_race_that_ended_before_the_adoption(
    adopted: Adopted, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = adopted_races(adopted, wager_races="settled_at IS NOT NULL")
    set_legacy(monkeypatch, "advance_races", on=False)
    clock(functions, datetime.now(UTC))
    assert adopted_races(adopted, wager_races="settled_at IS NOT NULL") == before


def test_a_race_that_was_live_keeps_its_totals(
    old: LegacyApplication, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for on in (True, False):
        set_legacy(monkeypatch, "advance_races", on=on)
        clock(functions, datetime.now(UTC))
        race = functions.call("get_race", path="/v1/races/3").json
        assert (race["title"], race["status"], race["participants"]) == ("Running", "live", 1002)
        standings = functions.call("get_leaderboard", path="/v1/races/3/leaderboard", query={"limit": "3"}).json[
            "items"
        ]
        assert [(part["rank"], part["user_id"], part["total_wager"]) for part in standings] == [
            (1, 9, "12.34"),
            (2, 10, "9999999999999999.99"),
            (101, 101, "99899.00"),
        ]
        participation = old.run(
            "db.query.wagerRaceParticipants.findFirst({where: eq(wagerRaceParticipants.id, 4)})",
        )
        assert (participation["totalWager"], participation["rank"]) == ("12.34", 1)
        assert participation["wagerHistory"] == [{"at": "2025-01-01", "total": 12.34}]


def test_every_race_is_listed_whatever_it_holds(functions: Functions) -> None:
    listed: dict[int, Any] = {}
    cursor = None
    while True:
        answer = functions.call("list_races", query={"limit": "5"} | ({"cursor": cursor} if cursor else {}))
        assert answer.status == 200, answer.text
        listed |= {race["id"]: race for race in answer.json["items"]}
        if (cursor := answer.json["next_cursor"]) is None:
            break
    assert set(range(1, 7)) <= set(listed)
    assert listed[4]["min_wager"] == "NaN"
    assert listed[5]["end_date"] == "9999-12-31T23:59:59.999999Z"
    assert [listed[race_id]["prize_distribution"] for race_id in (2, 4, 5)] == [[], "all to the first", None]


# Tickets, the newsletter, preferences


def test_a_ticket_is_carried_on_by_either(old: LegacyApplication, functions: Functions, members: Members) -> None:
    member = members.new()
    opened = functions.call("open_ticket", by=member, body={"subject": "S", "description": "D"})
    assert opened.status == 201
    ticket_id = opened.json["id"]
    found = old.run(
        "db.query.supportTickets.findFirst({where: eq(supportTickets.id, id), with: {user: true, messages: true}})",
        id=ticket_id,
    )
    assert (found["status"], found["priority"], found["user"]["username"]) == ("open", "medium", member.username)
    old.run(
        'db.insert(ticketMessages).values({ticketId, userId: 1, message: "Here.", isStaffReply: true})',
        ticketId=ticket_id,
    )
    old.run('db.update(supportTickets).set({status: "in_progress"}).where(eq(supportTickets.id, id))', id=ticket_id)
    read = functions.call("get_ticket", by=member, path=f"/v1/tickets/{ticket_id}").json
    assert read["status"] == "in_progress"
    assert [(part["message"], part["is_staff_reply"]) for part in read["messages"]["items"]] == [("Here.", True)]


def test_a_subscription_counts_on_both_sides_from_when_it_is_confirmed(
    old: LegacyApplication, functions: Functions, database: sa.Engine
) -> None:
    there, here = (f"Reader-{secrets.token_hex(6)}@Example.com" for _ in range(2))
    old.run("db.insert(newsletterSubscriptions).values({email, source: 'footer'})", email=there)
    for email in (there, there.lower(), here):
        assert functions.call("subscribe", body={"email": email}).status == 202
    with database.connect() as connection:
        kind = "kind = 'newsletter_confirmation' AND dropped_at IS NULL"
        mailed = connection.execute(sa.text(f"SELECT address FROM outbox WHERE {kind}"))
        assert [address for address in mailed.scalars() if address.lower() in {there.lower(), here.lower()}] == [here]
    subscribed = {
        row["email"]: row["isSubscribed"]
        for row in old.run(
            "db.select().from(newsletterSubscriptions).where(inArray(newsletterSubscriptions.email, emails))",
            emails=[there, here],
        )
    }
    assert subscribed == {there: True, here: False}


# What the legacy application deletes


def test_it_deletes_what_ours_has_used(old: LegacyApplication, functions: Functions, database: sa.Engine) -> None:
    """As it always could: what hangs on the rows and is ours goes along."""
    registered = old.register()
    member = signed_in(functions, registered["username"])
    functions.call("get_my_wheel", by=member)
    assert functions.call("link_account", by=member, body={"uid": secrets.token_hex(8)}).status == 202
    functions.call("request_verification", by=member)
    name = f"OLD-{secrets.token_hex(6)}"
    values = "{code: name, expiresAt: new Date(Date.now() + 3600e3)}"
    code = old.run(f"db.insert(bonusCodes).values({values}).returning()", name=name)[0]
    assert functions.call("claim_code", by=member, body={"code": name}).status == 201
    gone = "db.delete({table}).where(eq({table}.id, id)).returning({{id: {table}.id}})"
    assert old.run(gone.format(table="bonusCodes"), id=code["id"]) == [{"id": code["id"]}]
    assert old.run(gone.format(table="users"), id=member.id) == [{"id": member.id}]
    with database.connect() as connection:
        for table in metadata.tables.values():
            if "user_id" in table.c:
                assert connection.execute(sa.select(table).where(table.c.user_id == member.id)).all() == [], table.name


def test_it_cannot_delete_whom_the_ledger_knows(
    old: LegacyApplication, functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = signed_in(functions, old.register()["username"])
    value = {"user_id": member.id, "source_type": "grant", "source_id": member.id, "amount": 5}
    with database.connect() as connection:
        connection.execute(sa.insert(rewards).values(value | {"created_at": datetime.now(UTC)}))
    with pytest.raises(RuntimeError, match="rewards_user_id_users_id_fk"):
        old.run("db.delete(users).where(eq(users.id, id)).returning()", id=member.id)
