"""Erasure removes personal data from every table; ledger, archive and rows of other people stay."""

import base64
import gzip
import json
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from goatedvips import db
from goatedvips.domain.privacy.holdings import HOLDINGS
from goatedvips.models.every import (
    accounts,
    codes,
    newsletter,
    notifications,
    operations,
    races,
    rewards,
    tickets,
    wheel,
)
from tests.support.erasure import archive, erase, everything, register, row
from tests.support.functions import Functions
from tests.support.lives import NOON, STORED, Life, live
from tests.support.members import Members

users, outbox = accounts.users, notifications.outbox


def everywhere(database: sa.Engine, value: str) -> list[str]:
    """Return the columns that contain a value, ignoring case, among all text and JSON columns of the database."""
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


def test_no_personal_text_is_left_in_the_database(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert {value for value in life.personal if not everywhere(database, value)} == set()
    assert erase(functions, life.member).status == 204
    assert {value: everywhere(database, value) for value in life.personal} == {value: [] for value in life.personal}


def test_the_life_has_its_texts_in_every_column_that_can_be_personal(life: Life, database: sa.Engine) -> None:
    """Otherwise the search in the test above would prove nothing."""
    found = {place for value in life.personal for place in everywhere(database, value)}
    wanted = {
        f"{holding.table.name}.{column.name}"
        for holding in HOLDINGS
        for column in holding.table.columns
        if column.name in {*holding.overwrite, *holding.handled_in_code} and isinstance(column.type, sa.Text | sa.JSON)
    }
    assert wanted - found <= {
        "users.password",  # never readable
        "users.profile_color",  # no text
    }


def test_rows_of_other_members_do_not_change(
    functions: Functions, life: Life, database: sa.Engine, members: Members
) -> None:
    other = live(database, members)
    before = everything(database)
    assert erase(functions, life.member).status == 204
    after = everything(database)
    own_rows = {(table, row_id) for table, rows in life.rows.items() for row_id in rows}
    changed = {place for place, written in before.items() if after.get(place) != written}
    with_their_address = {
        (tickets.ticket_messages, row_id) for table, row_id in changed if table is tickets.ticket_messages
    }
    assert changed - own_rows <= with_their_address
    assert not changed & {(table, row_id) for table, rows in other.rows.items() for row_id in rows}
    assert {table for table, _ in after.keys() - before.keys()} == {accounts.erased_identities}


def test_the_member_s_row_stays_under_a_pseudonym_that_nobody_can_register(
    functions: Functions, life: Life, database: sa.Engine
) -> None:
    members_since = row(database, users, life.member.id).created_at
    assert erase(functions, life.member, now=NOON).status == 204
    stored = row(database, users, life.member.id)
    name = f"erased:{life.member.id}"
    assert (stored.username, stored.username_key, stored.erased_at) == (name, name, NOON)
    assert stored.email == stored.email_key == f"{name}@erased.invalid"
    assert (stored.bio, stored.profile_color, stored.uid, stored.last_active, stored.suspended_reason) == (None,) * 5
    assert (stored.is_admin, stored.is_active, stored.verified, stored.email_verified, stored.hide_name) == (
        *[False] * 4,
        True,
    )
    assert {stored.total_wager, stored.wager_today, stored.wager_week, stored.wager_month} == {Decimal(0)}
    assert stored.created_at == members_since
    assert [e["pointer"] for e in register(functions, username=name).json["errors"]] == ["/username"]
    assert [e["pointer"] for e in register(functions, email=stored.email).json["errors"]] == ["/email"]


def test_amounts_in_ledger_and_archive_do_not_change(functions: Functions, life: Life, database: sa.Engine) -> None:
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
    stored = (rewards.rewards, codes.code_claims, wheel.wheel_spins, races.wager_races)
    before = {place: written for place, written in everything(database).items() if place[0] in stored}
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


def test_tickets_stay_and_their_texts_go(functions: Functions, life: Life, database: sa.Engine) -> None:
    assert erase(functions, life.member).status == 204
    ticket, assigned = life.rows[tickets.support_tickets]
    stored = row(database, tickets.support_tickets, ticket)
    assert row(database, tickets.support_tickets, assigned).subject == "Theirs"
    assert (stored.subject, stored.description, stored.status) == ("(erased)", "(erased)", "open")
    with database.connect() as connection:
        messages = tickets.ticket_messages
        texts = connection.execute(
            sa.select(messages.c.message, messages.c.user_id).where(messages.c.id.in_(life.rows[messages]))
        ).all()
        on_ticket = connection.scalars(sa.select(messages.c.message).where(messages.c.ticket_id == ticket)).all()
    assert on_ticket == ["(erased)"] * 3, "the internal note too"
    assert ("As staff: mail (erased)", life.member.id) in texts


def test_default_client_seeds_stay_and_chosen_ones_are_overwritten(
    functions: Functions, life: Life, database: sa.Engine
) -> None:
    assert erase(functions, life.member).status == 204
    spins, seeds = wheel.wheel_spins, wheel.wheel_seeds
    with database.connect() as connection:
        for table in (spins, seeds):
            found = connection.scalars(sa.select(table.c.client_seed).where(table.c.user_id == life.member.id)).all()
            assert set(found) == {str(life.member.id), "(erased)"}


def test_audit_entries_keep_their_action_and_lose_their_texts(
    functions: Functions, life: Life, database: sa.Engine
) -> None:
    assert erase(functions, life.member).status == 204
    entries = [row(database, operations.audit_log, entry) for entry in life.rows[operations.audit_log]]
    assert [entry.after for entry in entries] == [
        {"suspended": True, "reason": "(erased)"},
        {"uid": "(erased)", "decision": "(erased)"},
        {"code": "(erased)", "value": 5},
        {"user_id": life.member.id, "currency": "(erased)"},
        {"reason": "Asked by (erased)"},
    ]
    assert entries[0].before == {"reason": "(erased)"}
    actions = ["update_member", "decide_link", "issue_code", "issue_batch", "update_member"]
    assert [entry.action for entry in entries] == actions


def test_the_audit_log_can_be_redacted_only_for_an_erased_member(life: Life) -> None:
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
def test_only_the_e_mail_address_is_scrubbed_from_texts_of_others(
    functions: Functions, members: Members, life: Life, database: sa.Engine, text: str, left: str
) -> None:
    other, email, name = members.new(), life.member.email, life.member.username

    def written(form: str) -> str:
        return form.format(email=email, EMAIL=email.upper(), name=name)

    ticket = life.add(
        tickets.support_tickets, of_member=False, user_id=other.id, subject=written(text), description=written(text)
    )
    message = life.add(
        tickets.ticket_messages, of_member=False, ticket_id=ticket, user_id=other.id, message=written(text)
    )
    members.change(other, bio=written(text))
    assert erase(functions, life.member).status == 204
    found = row(database, tickets.support_tickets, ticket)
    assert (found.subject, found.description) == (written(left), written(left))
    assert row(database, tickets.ticket_messages, message).message == written(left)
    assert row(database, users, other.id).bio == written(left)


@pytest.mark.parametrize("odd", ["", "@", "a", "please", ".*", "(", "a@b", "\\", "%", "_", "{email}", '"', "Ziége 🐐"])
def test_odd_adopted_names_and_e_mails_change_no_text_of_others(
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
    stored = row(database, races.historical_races, past).participants
    assert stored == {"first": {"name": name if odd else ""}, "second": {"name": "abc", "title": odd}}


def test_an_unverified_e_mail_erases_nothing_of_the_address_s_owner(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    """Otherwise a stranger could register with the address, end its subscription and scrub it from all tickets."""
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


def test_archive_entries_of_a_namesake_do_not_change(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
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


def test_the_leaderboard_keeps_the_rank_without_a_name(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
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


def test_mail_to_an_earlier_owner_of_the_address_is_not_the_member_s(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    earlier, later = members.new(password=STORED), members.new(password=STORED)
    notification = {
        "kind": "email_changed",
        "user_id": earlier.id,
        "address": later.email,
        "created_at": NOON,
        "due_at": NOON,
    }
    with database.connect() as connection:
        mail = connection.execute(sa.insert(outbox).values(notification).returning(outbox.c.id)).scalar_one()
    exported = functions.call("export_me", by=later)
    assert exported.status == 200
    assert erase(functions, later).status == 204
    assert row(database, outbox, mail).user_id == earlier.id


def test_stored_answers_to_staff_that_name_the_member_go_and_others_stay(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    """A replayed answer must not show the erased member; a username such as "open" must not delete other answers."""
    staff, other = members.staff(), members.new()
    tail = secrets.token_hex(4)
    member = members.new(password=STORED, username=f"öpen-{tail}", username_key=f"öpen-{tail}")
    with database.connect() as connection:
        request = {"user_id": member.id, "uid": tail, "requested_at": NOON}
        link = connection.execute(
            sa.insert(accounts.account_links).values(request).returning(accounts.account_links.c.id)
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
