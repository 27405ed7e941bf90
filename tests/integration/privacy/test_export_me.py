"""The export has all personal data of a member, no secrets and nothing about other people."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.privacy import export
from goatedvips.domain.privacy.holdings import HOLDINGS
from goatedvips.domain.privacy.personal_data import PersonalData
from goatedvips.models.every import accounts, metadata, tickets, wheel
from goatedvips.models.newsletter import newsletter_subscriptions
from tests.support.functions import Context, Functions, event, load
from tests.support.lives import NOON, STORED, Life, live
from tests.support.members import Member, Members


def exported(member: Member, *, now: datetime | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the exported document and the answer's headers."""
    module = load("export_me")
    with pytest.MonkeyPatch.context() as patch:
        if now is not None:
            patch.setattr(module, "utc_now", lambda: now)
        answer = module.handler(event("export_me", by=member), Context("ExportMeFunction", "1"))
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["isBase64Encoded"] is True
    document: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(answer["body"])))
    return document, answer["headers"]


def ids(rows: list[dict[str, Any]]) -> list[int]:
    """Return the first column of each primary key."""
    return [next(row[name] for name in ("id", "account_id", "user_id") if name in row) for row in rows]


def references() -> Iterator[sa.Column[Any]]:
    """Yield the columns of all tables that reference a member."""
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            if key.references(accounts.users):
                yield key.parent


def test_the_export_has_every_row_of_the_member_in_every_table(life: Life, database: sa.Engine) -> None:
    document, _ = exported(life.member)
    assert set(document) == {"exported_at", "member"} | {h.table.name for h in HOLDINGS} - {"users"}
    for table, expected in life.rows.items():
        if table is not accounts.users:
            assert ids(document[table.name]) == sorted(expected), table.name
    assert {holding.table for holding in HOLDINGS} == set(life.rows), "the life has something of every table"
    with database.connect() as connection:
        for column in references():
            key = next(iter(column.table.primary_key))
            found = connection.scalars(sa.select(key).where(column == life.member.id)).all()
            assert found, f"the life has nothing in {column}"
            assert set(found) <= set(ids(document[column.table.name])), column


def test_rows_are_written_as_in_the_api(life: Life) -> None:
    document, _ = exported(life.member, now=NOON)
    assert document["exported_at"] == "2026-05-01T12:00:00Z"
    member = document["member"]
    assert (member["id"], member["username"], member["email"]) == (
        life.member.id,
        life.member.username,
        life.member.email,
    )
    assert (member["total_wager"], member["uid"], member["bio"]) == (
        "100.00",
        life.uid,
        f"I am {life.member.username}, and live {life.words}",
    )
    (code,) = document["bonus_codes"]
    assert (code["value"], code["expires_at"]) == ("5.00", "2027-05-01T12:00:00Z")
    (participation,) = document["wager_race_participants"]
    assert participation["wager_history"][0]["total"] == 12.5
    assert document["wager_accounts"][0]["name"] == f"Casino {life.member.username}"


def test_the_answer_is_a_gzip_file_that_no_cache_stores(life: Life) -> None:
    _, headers = exported(life.member)
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Disposition"] == 'attachment; filename="goatedvips-export.json"'
    assert headers["Cache-Control"] == "no-store"


def test_the_export_has_no_secrets(life: Life, database: sa.Engine) -> None:
    document, _ = exported(life.member)
    text = json.dumps(document)
    with database.connect() as connection:
        tokens = [
            token
            for table in (accounts.sessions, accounts.mailed_tokens)
            for token in connection.scalars(sa.select(table.c.token_hash))
        ]
        seeds = connection.execute(
            sa.select(wheel.wheel_seeds).where(wheel.wheel_seeds.c.user_id == life.member.id)
        ).all()
    assert STORED not in text
    assert "password" not in document["member"]
    assert not any(token.hex() in text for token in tokens)
    assert not any("hash" in name for row in document["idempotency_records"] for name in row)
    assert len(seeds) == 3
    for seed in seeds:
        (shown,) = (row for row in document["wheel_seeds"] if row["id"] == seed.id)
        assert shown["server_seed_hash"] == hashlib.sha256(seed.server_seed).hexdigest()
        assert ("server_seed" in shown) == (seed.revealed_at is not None)
        assert (seed.server_seed.hex() in text) == (seed.revealed_at is not None)


def test_the_export_has_nothing_about_other_people(life: Life, database: sa.Engine) -> None:
    document, _ = exported(life.member)
    assert "Rude again" not in json.dumps(document), "an internal note"
    replies = [row for row in document["ticket_messages"] if row["is_staff_reply"]]
    assert sorted(("user_id" in row, "message" in row) for row in replies) == [(False, True), (True, False)]
    decided = [row for row in document["account_links"] if "decided_by" in row]
    assert [set(row) for row in decided] == [{"id", "requested_at", "decision", "decided_at", "decided_by"}]
    for row in document["audit_log"]:
        done = row.get("staff_id") == life.member.id
        assert ("after" in row) == (not done)
        assert ("staff_id" in row) == done
    (past,) = document["historical_races"]
    assert len(past["entries"]) == 4
    assert "participants" not in past
    assert "Other" not in json.dumps(past)


def test_tables_without_rows_of_the_member_are_empty_lists(members: Members) -> None:
    document, _ = exported(members.new(seeds=False))
    assert {name for name, rows in document.items() if rows == []} == set(document) - {
        "exported_at",
        "member",
        "member_tiers",
        "sessions",
    }


def test_an_unverified_e_mail_exports_nothing_of_the_address_s_owner(members: Members, database: sa.Engine) -> None:
    member = members.new(email_verified=False)
    with database.connect() as connection:
        connection.execute(
            sa.insert(newsletter_subscriptions).values(email=member.email, consent_address="203.0.113.7")
        )
    document, _ = exported(member)
    assert document["newsletter_subscriptions"] == []


def test_odd_adopted_values_are_valid_json(members: Members, database: sa.Engine) -> None:
    member = members.new()
    with database.connect() as connection:
        connection.execute(
            sa.text("UPDATE users SET total_wager = 'NaN', last_active = 'infinity' WHERE id = :id"), {"id": member.id}
        )
        connection.execute(
            sa.text(
                "INSERT INTO wager_race_participants (user_id, total_wager, wager_history) "
                "VALUES (:id, 'NaN', '[1e400, 0.1, null, \"\\u2028\"]')"
            ),
            {"id": member.id},
        )
        connection.execute(
            sa.insert(tickets.support_tickets).values(user_id=member.id, subject="", description='"\\\u2028🐐\n')
        )
    document, _ = exported(member)
    assert document["member"]["total_wager"] == "NaN"
    assert document["wager_race_participants"][0]["wager_history"][1:] == [0.1, None, "\u2028"]
    assert document["support_tickets"][0]["description"] == '"\\\u2028🐐\n'


def test_rows_of_many_batches_appear_once_each_and_in_order(
    members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new()
    count = 2 * export.BATCH
    with database.connect() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO wheel_spins (user_id, segment_index, timestamp) "
                "SELECT :id, 1, '2020-01-01'::timestamp + g * interval '1 day' FROM generate_series(1, :count) g"
            ),
            {"id": member.id, "count": count},
        )
    found = ids(exported(member)[0]["wheel_spins"])
    assert len(found) == count
    assert found == sorted(set(found))


def test_an_export_that_exceeds_the_largest_answer_is_refused(
    functions: Functions, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new()
    octets = len(base64.b64decode(load("export_me").handler(event("export_me", by=member), Context("f", "1"))["body"]))
    monkeypatch.setattr(export, "LARGEST", octets + 50)  # the time of day takes more or less
    assert exported(member)
    monkeypatch.setattr(export, "LARGEST", 300)
    refused = functions.call("export_me", by=member)
    assert (refused.status, refused.json["code"]) == (409, "export_too_large")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert "Content-Encoding" not in refused.headers


def test_the_export_shows_one_snapshot_whatever_commits_meanwhile(
    members: Members, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = members.new()
    without_hidden = export._without_hidden
    written: list[int] = []

    def meanwhile(holding: PersonalData, row: export.Row) -> export.Row:
        if not written:
            with database.connect() as connection:
                ticket = sa.insert(tickets.support_tickets).values(user_id=member.id, subject="s", description="d")
                written.append(connection.execute(ticket.returning(tickets.support_tickets.c.id)).scalar_one())
        return without_hidden(holding, row)

    monkeypatch.setattr(export, "_without_hidden", meanwhile)
    assert exported(member)[0]["support_tickets"] == []
    assert ids(exported(member)[0]["support_tickets"]) == written


def test_only_a_signed_in_member_gets_an_export(functions: Functions, members: Members) -> None:
    assert functions.call("export_me").status == 401
    member = members.new()
    members.end_session(member)
    assert functions.call("export_me", by=member).json["code"] == "unauthenticated"
    suspended = members.new(suspended_at=datetime.now(UTC) - timedelta(days=1))
    assert functions.call("export_me", by=suspended).json["code"] == "account_suspended"


def test_each_member_gets_only_their_own_data(database: sa.Engine, members: Members) -> None:
    one, other = live(database, members), live(database, members)
    text = json.dumps(exported(one.member)[0])
    assert not any(value in text for value in other.personal)
