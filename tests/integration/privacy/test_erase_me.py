"""A member's personal data go, the ledger and the archive stay, and an exclusion outlives both."""

import base64
import gzip
import json
import secrets
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.config import settings
from goatedvips.domain.privacy.holdings import HOLDINGS
from goatedvips.http import api
from goatedvips.models.every import (
    accounts,
    codes,
    metadata,
    newsletter,
    notifications,
    operations,
    races,
    rewards,
    tickets,
    wheel,
)
from tests.support.credentials import counted_mails
from tests.support.functions import Answer, Functions
from tests.support.lives import NOON, PASSWORD, STORED, Life, live
from tests.support.members import Member, Members

users, outbox = accounts.users, notifications.outbox


@pytest.fixture
def life(database: sa.Engine, members: Members) -> Life:
    members.staff()  # so that nobody is the last one
    return live(database, members)


def address() -> str:
    """One that no other test has used up."""
    return f"2001:db8:{secrets.randbelow(65536):x}:{secrets.randbelow(65536):x}::1"


def erase(functions: Functions, member: Member, *, password: str = PASSWORD, **changes: Any) -> Answer:
    return functions.call("erase_me", by=member, body={"password": password}, address=address(), **changes)


def register(functions: Functions, **form: str) -> Answer:
    given = {"username": f"kid-{secrets.token_hex(6)}", "email": f"{secrets.token_hex(8)}@example.com"}
    return functions.call("register", body=given | {"password": PASSWORD} | form, address=address())


def everywhere(database: sa.Engine, value: str) -> list[str]:
    """Return where a value is in any text or JSON of the database, ignoring case, known to the models or not."""
    columns = sa.text(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE' "
        "AND data_type IN ('text', 'character varying', 'json', 'jsonb')"
    )
    found = []
    with database.connect() as connection:
        for table, column in connection.execute(columns).all():
            text = sa.func.lower(sa.cast(sa.column(column), sa.Text))
            query = sa.select(sa.func.count()).select_from(sa.table(table))
            if connection.scalar(query.where(sa.func.strpos(text, value.lower()) > 0)):
                found.append(f"{table}.{column}")
    return found


def everything(database: sa.Engine) -> dict[tuple[sa.Table, int], str]:
    """Return every row of every table as text."""
    with database.connect() as connection:
        return {
            (table, row.id): row.written
            for table in metadata.tables.values()
            for row in connection.execute(
                sa.select(table.c.id, sa.func.to_jsonb(table.table_valued()).cast(sa.Text).label("written"))
            )
        }


def row(database: sa.Engine, table: sa.Table, row_id: int) -> Any:
    with database.connect() as connection:
        return connection.execute(sa.select(table).where(table.c.id == row_id)).one()


def archive(database: sa.Engine, participants: object) -> int:
    """Archive a race."""
    race = {"month": "May", "year": "2020", "prize_pool": 1, "total_wagered": 1, "participant_count": "1"}
    made = sa.insert(races.historical_races).values(**race, participants=participants, start_date=NOON, end_date=NOON)
    with database.connect() as connection:
        return int(connection.execute(made.returning(races.historical_races.c.id)).scalar_one())


def test_nothing_personal_is_left_anywhere(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert {value for value in life.personal if not everywhere(database, value)} == set()
    assert erase(functions, life.member).status == 204
    assert {value: everywhere(database, value) for value in life.personal} == {value: [] for value in life.personal}


def test_the_life_is_in_every_text_that_can_be_personal(life: Life, database: sa.Engine) -> None:
    """Else the search above would look where nothing was."""
    found = {place for value in life.personal for place in everywhere(database, value)}
    wanted = {
        f"{holding.table.name}.{column.name}"
        for holding in HOLDINGS
        for column in holding.table.columns
        if column.name in {*holding.left, *holding.apart} and isinstance(column.type, sa.Text | sa.JSON)
    }
    assert wanted - found <= {
        "users.password",  # never readable
        "users.profile_color",  # no text
    }


def test_what_is_others_stays_as_it_was(
    functions: Functions, life: Life, database: sa.Engine, members: Members
) -> None:
    other = live(database, members)
    before = everything(database)
    assert erase(functions, life.member).status == 204
    after = everything(database)
    theirs = {(table, row_id) for table, rows in life.rows.items() for row_id in rows}
    changed = {place for place, written in before.items() if after.get(place) != written}
    with_their_address = {
        (tickets.ticket_messages, row_id) for table, row_id in changed if table is tickets.ticket_messages
    }
    assert changed - theirs <= with_their_address
    assert not changed & {(table, row_id) for table, rows in other.rows.items() for row_id in rows}
    assert {table for table, _ in after.keys() - before.keys()} == {accounts.erased_identities}


def test_the_member_s_row_stays_under_a_name_that_nobody_can_take(
    functions: Functions, life: Life, database: sa.Engine
) -> None:
    members_since = row(database, users, life.member.id).created_at
    assert erase(functions, life.member, now=NOON).status == 204
    kept = row(database, users, life.member.id)
    name = f"erased:{life.member.id}"
    assert (kept.username, kept.username_key, kept.erased_at) == (name, name, NOON)
    assert kept.email == kept.email_key == f"{name}@erased.invalid"
    assert (kept.bio, kept.profile_color, kept.uid, kept.last_active, kept.suspended_reason) == (None,) * 5
    assert (kept.is_admin, kept.is_active, kept.verified, kept.email_verified, kept.hide_name) == (*[False] * 4, True)
    assert {kept.total_wager, kept.wager_today, kept.wager_week, kept.wager_month} == {Decimal(0)}
    assert kept.created_at == members_since
    assert [e["pointer"] for e in register(functions, username=name).json["errors"]] == ["/username"]
    assert [e["pointer"] for e in register(functions, email=kept.email).json["errors"]] == ["/email"]


def test_ledger_and_archive_stay_to_the_cent(functions: Functions, life: Life, database: sa.Engine) -> None:
    (race,) = life.rows[races.historical_races]
    exact = "12345678901234567890.10"
    with database.connect() as connection:
        connection.execute(
            sa.text(
                "UPDATE historical_races SET participants = jsonb_set(participants, '{0,wagered}', CAST(:n AS jsonb)) "
                "WHERE id = :id"
            ),
            {"n": exact, "id": race},
        )
    kept = (rewards.rewards, codes.code_claims, wheel.wheel_spins, races.wager_races)
    before = {place: written for place, written in everything(database).items() if place[0] in kept}
    assert erase(functions, life.member).status == 204
    after = everything(database)
    assert before.keys() <= after.keys()
    for place, written in before.items():
        old, new = json.loads(written), json.loads(after[place])
        assert {name for name in old if old[name] != new[name]} <= {"reward_code", "client_seed", "rules"}
    with database.connect() as connection:
        text = connection.scalar(
            sa.select(sa.cast(races.historical_races.c.participants, sa.Text)).where(
                races.historical_races.c.id == race
            )
        )
    assert text is not None
    assert f'"wagered": {exact}' in text
    name = f"erased:{life.member.id}"
    assert [(p.get("userId"), p.get("rank")) for p in json.loads(text)[:1]] == [(life.member.id, 1)]
    assert [p.get("username") or p.get("name") for p in json.loads(text)] == [name, name, name, None, "Other"]
    assert json.loads(text)[0]["total"] == "12.50"
    assert json.loads(text)[4]["note"] == "not me"
    past = row(database, races.historical_races, race)
    assert past.metadata == {"title": "May", "winner": name}
    (participation,) = life.rows[races.wager_race_participants]
    (point,) = row(database, races.wager_race_participants, participation).wager_history
    assert point == {"at": "2026-05-01T12:00:00Z", "total": 12.5, "by": name, "user": {"name": name}}


def test_tickets_stay_without_a_word(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert erase(functions, life.member).status == 204
    (ticket,) = life.rows[tickets.support_tickets]
    kept = row(database, tickets.support_tickets, ticket)
    assert (kept.subject, kept.description, kept.status) == ("(erased)", "(erased)", "open")
    with database.connect() as connection:
        messages = tickets.ticket_messages
        texts = connection.execute(
            sa.select(messages.c.message, messages.c.user_id).where(messages.c.id.in_(life.rows[messages]))
        ).all()
        on_ticket = connection.scalars(sa.select(messages.c.message).where(messages.c.ticket_id == ticket)).all()
    assert on_ticket == ["(erased)"] * 3, "the internal note too"
    assert ("As staff: mail (erased)", life.member.id) in texts


def test_default_client_seeds_stay_and_chosen_ones_go(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert erase(functions, life.member).status == 204
    spins, seeds = wheel.wheel_spins, wheel.wheel_seeds
    with database.connect() as connection:
        for table in (spins, seeds):
            found = connection.scalars(sa.select(table.c.client_seed).where(table.c.user_id == life.member.id)).all()
            assert set(found) == {str(life.member.id), "(erased)"}


def test_the_audit_log_says_what_was_done_without_a_text(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert erase(functions, life.member).status == 204
    entries = [row(database, operations.audit_log, entry) for entry in life.rows[operations.audit_log]]
    assert [entry.after for entry in entries] == [
        {"suspended": True, "reason": "(erased)"},
        {"uid": "(erased)", "decision": "(erased)"},
        {"code": "(erased)", "value": 5},
        {"reason": "Asked by (erased)"},
    ]
    assert entries[0].before == {"reason": "(erased)"}
    assert [entry.action for entry in entries] == ["update_member", "decide_link", "issue_code", "update_member"]


def test_functions_can_redact_the_audit_log_of_who_is_erased_alone(life: Life) -> None:
    for member_id in (life.member.id, 2**31 - 1):
        with pytest.raises(sa.exc.DBAPIError, match="is not erased"), db.engine().begin() as connection:
            connection.execute(sa.select(sa.func.redact_audit_log(member_id)))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Write to {email}, please.", "Write to (erased), please."),
        ("{EMAIL}", "(erased)"),
        ("<{email}>;{email}", "<(erased)>;(erased)"),
        ("mailto:{email}.", "mailto:(erased)."),
        ("x{email}", "x{email}"),
        ("{email}.au", "{email}.au"),
        ("{email}pany", "{email}pany"),
        ("My name is {name}", "My name is {name}"),
    ],
)
def test_of_others_texts_their_address_goes_and_no_other_word(
    functions: Functions, members: Members, life: Life, database: sa.Engine, text: str, left: str
) -> None:
    other, email, name = members.new(), life.member.email, life.member.username

    def written(form: str) -> str:
        return form.format(email=email, EMAIL=email.upper(), name=name)

    ticket = life.add(
        tickets.support_tickets, theirs=False, user_id=other.id, subject=written(text), description=written(text)
    )
    message = life.add(tickets.ticket_messages, theirs=False, ticket_id=ticket, user_id=other.id, message=written(text))
    members.change(other, bio=written(text))
    assert erase(functions, life.member).status == 204
    found = row(database, tickets.support_tickets, ticket)
    assert (found.subject, found.description) == (written(left), written(left))
    assert row(database, tickets.ticket_messages, message).message == written(left)
    assert row(database, users, other.id).bio == written(left)


@pytest.mark.parametrize("odd", ["", "@", "a", "please", ".*", "(", "a@b", "\\", "%", "_", "{email}", '"', "Ziége 🐐"])
def test_odd_old_names_and_addresses_blank_nobody_s_texts(
    functions: Functions, members: Members, database: sa.Engine, odd: str
) -> None:
    members.staff()
    other = members.new(bio="please, a word: a@b and .* ( \\ % _ {email}")
    odd_one = members.new(password=STORED)
    members.change(odd_one, username=odd, email=odd)
    bio = row(database, users, other.id).bio
    past = archive(database, {"first": {"name": odd}, "second": {"name": "abc", "title": odd}})
    assert erase(functions, odd_one).status == 204
    assert row(database, users, other.id).bio == bio
    name = f"erased:{odd_one.id}"
    assert row(database, users, odd_one.id).username == name
    kept = row(database, races.historical_races, past).participants
    assert kept == {"first": {"name": name if odd else ""}, "second": {"name": "abc", "title": odd}}


def test_an_address_that_was_never_proved_takes_nothing_of_its_owner_s(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    """Whoever registers with somebody's address could else end their subscription, and blank it in all tickets."""
    members.staff()
    stranger = members.new(password=STORED, email_verified=False)
    other = members.new(bio=f"Mail {stranger.email}")
    with database.connect() as connection:
        connection.execute(sa.insert(newsletter.newsletter_subscriptions).values(email=stranger.email))
    archive(database, [{"email": stranger.email}])
    before = everything(database)
    assert erase(functions, stranger).status == 204
    after = everything(database)
    changed = {place for place, written in before.items() if after.get(place) != written}
    assert changed == {
        (users, stranger.id),
        (accounts.sessions, stranger.session_id),
    }
    assert row(database, users, other.id).bio == f"Mail {stranger.email}"


def test_the_archive_of_a_namesake_stays(functions: Functions, members: Members, database: sa.Engine) -> None:
    members.staff()
    name = f"Goat{secrets.token_hex(4)}"
    one = members.new(username=name.lower(), username_key=name.lower(), password=STORED)
    members.new(username=name.upper(), username_key=None)
    entries = [
        {"name": name.upper(), "rank": 1},
        {"name": name.lower(), "rank": 2},
        {"userId": one.id + 1_000_000, "name": name.lower()},
        {"title": name.lower()},
    ]
    race = archive(database, entries)
    assert erase(functions, one).status == 204
    left = row(database, races.historical_races, race).participants
    assert left == [entries[0], {"name": f"erased:{one.id}", "rank": 2}, *entries[2:]]


def test_a_wrong_password_erases_nothing_and_is_counted(functions: Functions, life: Life, database: sa.Engine) -> None:
    before, at = everything(database), address()
    for _ in range(10):
        wrong = functions.call("erase_me", by=life.member, body={"password": "not it, at all"}, address=at, now=NOON)
        assert (wrong.status, wrong.json["code"]) == (401, "invalid_credentials")
    after = everything(database)
    assert {place: after.get(place) for place in before} == before
    assert {table for table, _ in after.keys() - before.keys()} == {accounts.attempts}
    throttled = functions.call("erase_me", by=life.member, body={"password": PASSWORD}, address=at, now=NOON)
    assert (throttled.status, throttled.json["code"]) == (429, "too_many_attempts")
    assert erase(functions, life.member, now=NOON).status == 204, "from elsewhere"


def test_the_last_of_the_staff_stays(functions: Functions, members: Members, database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).values(is_admin=False))
    last = members.staff(password=STORED)
    members.staff(suspended_at=datetime.now(UTC))
    before = everything(database)
    refused = erase(functions, last)
    assert (refused.status, refused.json["code"]) == (409, "last_staff")
    assert everything(database) == before, "the attempt was right, so it is not counted"
    members.staff()
    assert erase(functions, last).status == 204


def test_the_last_of_the_staff_needs_the_password_too(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).values(is_admin=False))
    assert erase(functions, members.staff(password=STORED), password="not it, at all").status == 401


def test_a_member_is_erased_whoever_is_staff(functions: Functions, members: Members, database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.update(users).values(is_admin=False))
    assert erase(functions, members.new(password=STORED)).status == 204


def test_only_a_live_member_may(functions: Functions, members: Members) -> None:
    assert functions.call("erase_me", body={"password": PASSWORD}).status == 401
    member = members.new(password=STORED)
    members.change(member, suspended_at=datetime.now(UTC))
    assert erase(functions, member).json["code"] == "account_suspended"
    members.change(member, suspended_at=None)
    members.end_session(member)
    assert erase(functions, member).json["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/password"),
        ({"password": None}, "/password"),
        ({"password": 123456789012}, "/password"),
        ({"password": ""}, "/password"),
        ({"password": "x" * 1001}, "/password"),
        ({"password": "goats\x00"}, "/password"),
        ({"password": "goats\ud800"}, "/password"),
        ({"password": PASSWORD, "really": True}, "/really"),
    ],
)
def test_a_wrong_form_is_refused_and_not_counted(
    functions: Functions, members: Members, body: dict[str, Any], pointer: str, database: sa.Engine
) -> None:
    member = members.new(password=STORED)
    refused = functions.call("erase_me", by=member, body=body)
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    with database.connect() as connection:
        counted = sa.select(accounts.attempts).where(accounts.attempts.c.subject == str(member.id))
        assert connection.execute(counted).all() == []


def test_who_is_erased_is_nobody_any_more(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert erase(functions, life.member).status == 204
    for name, changes in (
        ("get_me", {}),
        ("export_me", {}),
        ("open_ticket", {"body": {"subject": "s", "description": "d"}}),
        ("spin_wheel", {"body": {}}),
        ("erase_me", {"body": {"password": PASSWORD}}),
    ):
        assert functions.call(name, by=life.member, **changes).status == 401, name
    bearer = f"Bearer {life.member.token}"
    assert "user_id" not in functions.invoke("authorize", {"identitySource": [bearer]})["context"]
    for login, password in (
        (life.member.username, PASSWORD),
        (f"erased:{life.member.id}", PASSWORD),
        (f"erased:{life.member.id}", "(erased)"),
    ):
        body = {"login": login, "password": password}
        assert functions.call("log_in", body=body, address=address()).json["code"] == "invalid_credentials"
    assert functions.call("get_profile", path=f"/v1/users/{life.member.id}").status == 404


def test_an_idempotency_key_replays_no_erasure(functions: Functions, members: Members) -> None:
    members.staff()
    member = members.new(password=STORED)
    key = {"idempotency-key": "k"}
    assert erase(functions, member, headers=key).status == 204
    assert erase(functions, member, headers=key).status == 401


def test_name_and_address_are_free_again_and_nothing_is_carried_over(
    functions: Functions, life: Life, database: sa.Engine
) -> None:
    assert erase(functions, life.member).status == 204
    again = register(functions, username=life.member.username, email=life.member.email)
    assert again.status == 201
    account = row(database, users, again.json["id"])
    assert account.id != life.member.id
    assert (account.excluded_until, account.excluded_permanently) == (None, False)


@pytest.mark.parametrize(
    ("excluded_until", "permanently"),
    [(datetime(2099, 1, 1, tzinfo=UTC), False), (None, True), (datetime(2020, 1, 1, tzinfo=UTC), False)],
    ids=["until", "for good", "passed and not ended"],
)
@pytest.mark.parametrize("spelling", [str, str.upper, str.lower], ids=["as is", "upper", "lower"])
def test_who_signs_up_again_is_still_excluded(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    excluded_until: datetime | None,
    permanently: bool,
    spelling: Any,
) -> None:
    members.staff()
    member = members.new(password=STORED, excluded_until=excluded_until, excluded_permanently=permanently)
    assert erase(functions, member).status == 204
    again = register(functions, email=spelling(member.email))
    account = row(database, users, again.json["id"])
    assert (account.excluded_until, account.excluded_permanently) == (excluded_until, permanently)
    members.change(replace(member, id=account.id), email_verified=True)
    session = members.new()
    with database.connect() as connection:
        connection.execute(
            sa.update(accounts.sessions).where(accounts.sessions.c.id == session.session_id).values(user_id=account.id)
        )
    spin = functions.call("spin_wheel", by=replace(session, id=account.id), body={})
    assert spin.json["code"] == "self_excluded"


def test_an_address_that_was_kept_decomposed_is_the_same(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()
    tail = secrets.token_hex(6)
    decomposed = unicodedata.normalize("NFD", f"ziége-{tail}@example.com")
    assert decomposed != unicodedata.normalize("NFC", decomposed)
    member = members.new(email=decomposed, email_key=decomposed, password=STORED, excluded_permanently=True)
    assert erase(functions, member).status == 204
    again = register(functions, email=unicodedata.normalize("NFC", decomposed))
    assert row(database, users, again.json["id"]).excluded_permanently


def test_of_two_erasures_the_stricter_exclusion_is_remembered(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()
    later, sooner = datetime(2099, 1, 1, tzinfo=UTC), datetime(2098, 1, 1, tzinfo=UTC)
    email = f"{secrets.token_hex(8)}@example.com"
    for until, for_good in ((later, False), (sooner, True), (sooner, False)):
        member = members.new(
            email=email, email_key=email, password=STORED, excluded_until=until, excluded_permanently=for_good
        )
        assert erase(functions, member).status == 204
    account = row(database, users, register(functions, email=email).json["id"])
    assert (account.excluded_until, account.excluded_permanently) == (None, True)


def test_of_the_address_nothing_is_remembered_without_an_exclusion_and_of_the_uid_always(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    members.staff()

    def remembered() -> int:
        with database.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(accounts.erased_identities)).scalar_one()

    before = remembered()
    assert erase(functions, members.new(password=STORED)).status == 204
    assert remembered() == before
    assert erase(functions, members.new(password=STORED, uid=secrets.token_hex(8))).status == 204
    assert remembered() == before + 1


def test_an_exclusion_comes_back_with_the_uid(functions: Functions, members: Members, database: sa.Engine) -> None:
    staff, uid = members.staff(), f"uid-{secrets.token_hex(6)}"
    until = datetime.now(UTC) + timedelta(days=100)
    member = members.new(password=STORED, uid=uid, excluded_until=until)
    assert erase(functions, member).status == 204
    other = members.new()
    assert functions.call("link_account", by=other, body={"uid": uid}).status == 202
    with database.connect() as connection:
        links = accounts.account_links
        link = connection.execute(sa.select(links.c.id).where(links.c.user_id == other.id)).scalar_one()
    path = f"/v1/admin/account-links/{link}/decision"
    assert functions.call("decide_link", by=staff, path=path, body={"decision": "approved"}).status == 200
    assert row(database, users, other.id).excluded_until == until


def test_the_board_keeps_the_place_without_a_name(functions: Functions, members: Members, database: sa.Engine) -> None:
    members.staff()
    member, now = members.new(password=STORED), datetime.now(UTC)
    with database.connect() as connection:
        race = connection.execute(
            sa.insert(races.wager_races)
            .values(
                title="Live",
                type="weekly",
                status="live",
                prize_pool=1,
                start_date=now - timedelta(days=1),
                end_date=now + timedelta(days=1),
                min_wager=0,
                prize_distribution={"1": 50},
            )
            .returning(races.wager_races.c.id)
        ).scalar_one()
        connection.execute(
            sa.insert(races.wager_race_participants).values(
                race_id=race, user_id=member.id, member_key=member.id, total_wager=5, rank=1
            )
        )
    assert erase(functions, member).status == 204
    (standing,) = functions.call("get_leaderboard", path=f"/v1/races/{race}/leaderboard").json["items"]
    assert (standing["rank"], standing["user_id"], standing["username"]) == (1, None, None)


def test_nothing_personal_is_logged(functions: Functions, life: Life, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert erase(functions, life.member).status == 204
    said = str([vars(record) for record in caplog.records])
    assert "answered" in said
    assert not [value for value in (*life.personal, PASSWORD) if value.lower() in said.lower()]


def test_an_erasure_does_not_let_more_mail_through(functions: Functions, members: Members, database: sa.Engine) -> None:
    """At most three an hour to one address, whoever asks, and whoever of them is gone."""
    members.staff()
    wished = f"{secrets.token_hex(8)}@example.com"
    for _ in range(2):
        member = members.new(password=STORED)
        for _ in range(2):
            body = {"email": wished, "current_password": PASSWORD}
            assert functions.call("change_email", by=member, body=body, address=address()).status == 202
        assert erase(functions, member).status == 204
    assert counted_mails(database, wished) == 3


def test_mail_to_an_earlier_owner_of_the_address_is_not_theirs(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    earlier, later = members.new(password=STORED), members.new(password=STORED)
    told = {"kind": "email_changed", "user_id": earlier.id, "address": later.email, "created_at": NOON, "due_at": NOON}
    with database.connect() as connection:
        mail = connection.execute(sa.insert(outbox).values(told).returning(outbox.c.id)).scalar_one()
    exported = functions.call("export_me", by=later)
    assert exported.status == 200
    assert erase(functions, later).status == 204
    assert row(database, outbox, mail).user_id == earlier.id


@pytest.mark.parametrize(("proved", "required"), [(True, True), (True, False), (False, False), (False, True)])
def test_an_exclusion_is_kept_for_an_address_that_let_its_member_play(
    functions: Functions,
    members: Members,
    database: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    proved: bool,
    required: bool,
) -> None:
    """A stranger's address can be registered, but not kept from play, where play takes a proved one."""
    members.staff()
    monkeypatch.setattr(api, "settings", replace(settings, verified_email_required=required))
    email = f"{secrets.token_hex(8)}@example.com"
    given: dict[str, Any] = {"email": email, "email_key": email, "password": STORED, "email_verified": proved}
    assert erase(functions, members.new(**given, excluded_permanently=True)).status == 204
    again = register(functions, email=email)
    assert row(database, users, again.json["id"]).excluded_permanently is (proved or not required)


def test_what_staff_were_answered_about_them_goes_and_what_others_were_stays(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    """A replay must not bring the member back; and a name such as "open" must not take others' answers along."""
    staff, other = members.staff(), members.new()
    tail = secrets.token_hex(4)
    member = members.new(password=STORED, username=f"öpen-{tail}", username_key=f"öpen-{tail}")
    with database.connect() as connection:
        asked = {"user_id": member.id, "uid": tail, "requested_at": NOON}
        link = connection.execute(
            sa.insert(accounts.account_links).values(asked).returning(accounts.account_links.c.id)
        )
        path = f"/v1/admin/account-links/{link.scalar_one()}/decision"
    key = {"idempotency-key": tail}
    decision = {"decision": "refused", "reason": "No."}
    decided = functions.call("decide_link", by=staff, path=path, body=decision, headers=key)
    assert decided.json["user"]["username"] == member.username
    ticket = {"subject": member.username, "description": f'"username": "{member.username}"'}
    opened = functions.call("open_ticket", by=other, body=ticket, headers=key)
    shown = functions.call("export_me", by=staff)
    assert erase(functions, member).status == 204
    assert functions.call("decide_link", by=staff, path=path, body=decision, headers=key).status == 404
    assert functions.call("open_ticket", by=other, body=ticket, headers=key).text == opened.text
    (record,) = json.loads(gzip.decompress(base64.b64decode(shown.text)))["idempotency_records"]
    assert "answer" not in record
