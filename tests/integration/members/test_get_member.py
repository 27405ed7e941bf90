"""Staff see one member whole."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import account_links
from goatedvips.models.codes import bonus_codes, code_claims
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import audit_log
from goatedvips.models.races import wager_race_participants, wager_races
from goatedvips.models.rewards import rewards
from goatedvips.models.tickets import support_tickets
from goatedvips.models.wheel import wheel_spins
from tests.support.functions import Answer, Functions
from tests.support.ledger import payout
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
AT_NOON = "2026-05-01T12:00:00Z"


def get(functions: Functions, by: Member, member_id: object) -> Answer:
    return functions.call("get_member", by=by, path=f"/v1/admin/members/{member_id}")


@pytest.fixture
def add(database: sa.Engine) -> Any:
    """Adds a row to a table, and returns its id."""

    def add(table: sa.Table, **columns: Any) -> int:
        with database.connect() as connection:
            return int(connection.scalar(sa.insert(table).values(columns).returning(table.c.id)) or 0)

    return add


def test_a_new_member_has_nothing_yet(members: Members, functions: Functions) -> None:
    member = members.new(created_at=NOON, hide_name=True, bio="Grass, mostly.")
    answer = get(functions, members.staff(), member.id)
    assert answer.status == 200, answer.text
    assert answer.json == {
        "id": member.id,
        "username": member.username,
        "email": member.email,
        "email_verified": True,
        "is_staff": False,
        "verified": False,
        "uid": None,
        "tier": "Copper",
        "total_wager": "0.00",
        "suspended_at": None,
        "suspended_reason": None,
        "excluded_until": None,
        "excluded_permanently": False,
        "created_at": AT_NOON,
        "last_active": None,
        "bio": "Grass, mostly.",
        "profile_color": "#D7FF00",
        "hide_name": True,
        "wager_today": "0.00",
        "wager_week": "0.00",
        "wager_month": "0.00",
        "counts": {"spins": 0, "claims": 0, "races": 0, "tickets": 0, "rewards": 0, "links": 0},
        "spins": [],
        "claims": [],
        "races": [],
        "tickets": [],
        "rewards": [],
        "links": [],
        "notifications": [],
        "audit": [],
    }


def test_the_details_have_every_field_and_count(
    members: Members, functions: Functions, database: sa.Engine, add: Any
) -> None:
    member, staff, tag = members.new(), members.staff(), secrets.token_hex(5)
    spin = add(wheel_spins, user_id=member.id, segment_index=3, reward_code=f"WIN-{tag}", timestamp=NOON)
    code = add(bonus_codes, code=f"WIN-{tag}", expires_at=NOON, value=Decimal("12345678901234.56"))
    claim = add(code_claims, code_id=code, user_id=member.id, claimed_at=NOON)
    race = add(
        wager_races,
        title="June's first",
        type="weekly",
        status="live",
        prize_pool=1,
        start_date=NOON,
        end_date=NOON + timedelta(days=7),
        min_wager=0,
        prize_distribution={"1": 100},
    )
    part = {"race_id": race, "user_id": member.id, "total_wager": Decimal("0.1"), "rank": 2, "joined_at": NOON}
    add(wager_race_participants, member_key=member.id, **part)
    add(wager_race_participants, member_key=None, **part)  # adopted, and no participation of its own
    ticket = add(
        support_tickets, user_id=member.id, subject="Help", description="Please", created_at=NOON, updated_at=NOON
    )
    reward = add(
        rewards,
        user_id=member.id,
        source_type="code",
        source_id=code,
        amount=Decimal("-2.5"),
        created_at=NOON,
    )
    paid_by = payout(database, member.id, "-2.5", reward, reference="TX-1")
    link = add(
        account_links,
        id=member.id + 1_000_000,
        user_id=member.id,
        uid=f"uid-{tag}",
        requested_at=NOON,
        decision="refused",
        reason="Whose is it?",
        decided_at=NOON + timedelta(microseconds=1),
        decided_by=staff.id,
    )
    recorded = {"staff_id": staff.id, "request_id": "r", "created_at": NOON}
    linked = add(audit_log, action="decide_link", subject_id=link, after={"decision": "refused"}, **recorded)
    updated = add(audit_log, action="update_member", subject_id=member.id, before={"is_admin": True}, **recorded)
    add(audit_log, action="create_race", subject_id=member.id, **recorded)  # a race by the same number
    add(audit_log, action="update_member", subject_id=link, **recorded)  # another member by the link's number

    details = get(functions, staff, member.id).json
    assert details["counts"] == {"spins": 1, "claims": 1, "races": 1, "tickets": 1, "rewards": 1, "links": 1}
    assert details["spins"] == [{"id": spin, "segment_index": 3, "reward_code": f"WIN-{tag}", "timestamp": AT_NOON}]
    assert details["claims"] == [
        {
            "id": claim,
            "code_id": code,
            "code": f"WIN-{tag}",
            "value": "12345678901234.56",
            "currency": "USD",
            "claimed_at": AT_NOON,
        }
    ]
    assert details["races"] == [
        {
            "race_id": race,
            "title": "June's first",
            "start_date": AT_NOON,
            "end_date": "2026-05-08T12:00:00Z",
            "joined_at": AT_NOON,
            "total_wager": "0.10",
            "rank": 2,
        }
    ]
    assert details["tickets"] == [
        {
            "id": ticket,
            "subject": "Help",
            "status": "open",
            "priority": "medium",
            "created_at": AT_NOON,
            "updated_at": AT_NOON,
        }
    ]
    assert details["rewards"] == [
        {
            "id": reward,
            "source_type": "code",
            "source_id": code,
            "amount": "-2.50",
            "currency": "USD",
            "created_at": AT_NOON,
            "state": "paid",
            "payout_id": paid_by,
        }
    ]
    assert details["links"] == [
        {
            "id": link,
            "uid": f"uid-{tag}",
            "requested_at": AT_NOON,
            "decision": "refused",
            "reason": "Whose is it?",
            "decided_at": "2026-05-01T12:00:00.000001Z",
            "decided_by": staff.id,
        }
    ]
    shown = {"staff_id": staff.id, "request_id": "r", "created_at": AT_NOON}
    assert details["audit"] == [
        shown
        | {
            "id": updated,
            "action": "update_member",
            "subject_id": member.id,
            "before": {"is_admin": True},
            "after": None,
        },
        shown
        | {
            "id": linked,
            "action": "decide_link",
            "subject_id": link,
            "before": None,
            "after": {"decision": "refused"},
        },
    ]


def test_staff_see_why_a_notification_was_not_sent(members: Members, functions: Functions, add: Any) -> None:
    member, other = members.new(), members.new()
    given = {"user_id": member.id, "kind": "race_result", "created_at": NOON, "due_at": NOON}
    dropped = add(
        outbox,
        address=member.email,
        payload={"code": "SECRET"},
        dropped_at=NOON,
        dropped_reason="switched_off",
        **given,
    )
    pushed = add(outbox, channel="push", sent_at=NOON, **given)
    add(outbox, **given | {"user_id": other.id})
    answer = get(functions, members.staff(), member.id)
    nothing = dict.fromkeys(
        ("sent_at", "failed_at", "dropped_at", "dropped_reason", "bounced_at", "complained_at", "email")
    )
    shown = nothing | {"kind": "race_result", "created_at": AT_NOON, "due_at": AT_NOON}
    assert answer.json["notifications"] == [
        shown | {"id": pushed, "channel": "push", "sent_at": AT_NOON},
        shown
        | {
            "id": dropped,
            "channel": "mail",
            "email": member.email,
            "dropped_at": AT_NOON,
            "dropped_reason": "switched_off",
        },
    ]
    assert "SECRET" not in answer.text


def test_the_audit_list_has_changes_to_the_member_s_codes(members: Members, functions: Functions, add: Any) -> None:
    member, staff = members.new(), members.staff()
    own_code, other_code = (
        add(bonus_codes, code=secrets.token_hex(8), user_id=owner.id, expires_at=NOON)
        for owner in (member, members.new())
    )
    recorded = {"staff_id": staff.id, "request_id": "r", "created_at": NOON}
    issued = add(audit_log, action="issue_code", subject_id=own_code, **recorded)
    revoked = add(audit_log, action="revoke_code", subject_id=own_code, **recorded)
    add(audit_log, action="issue_code", subject_id=other_code, **recorded)
    add(audit_log, action="create_race", subject_id=own_code, **recorded)  # a race by the same number
    details = get(functions, staff, member.id).json["audit"]
    assert [(entry["id"], entry["action"]) for entry in details] == [(revoked, "revoke_code"), (issued, "issue_code")]


def test_of_many_rows_the_last_twenty_are_shown_and_all_are_counted(
    members: Members, functions: Functions, add: Any
) -> None:
    member = members.new()
    made = [add(wheel_spins, user_id=member.id, segment_index=6) for _ in range(23)]
    add(wheel_spins, user_id=members.new().id, segment_index=6)
    details = get(functions, members.staff(), member.id).json
    assert [spin["id"] for spin in details["spins"]] == made[:2:-1]
    assert details["counts"]["spins"] == 23


def test_an_adopted_row_is_returned_unchanged(
    members: Members, functions: Functions, add: Any, database: sa.Engine
) -> None:
    member = members.new(email_verified=None, profile_color=None)
    members.change(member, total_wager=Decimal("NaN"), username_key=None)
    for instant in ("infinity", "-infinity", "0044-03-15 12:00:00 BC"):
        with database.connect() as connection:
            connection.execute(
                sa.text('INSERT INTO wheel_spins (user_id, segment_index, "timestamp") VALUES (:id, 0, :at)'),
                {"id": member.id, "at": instant},
            )
    details = get(functions, members.staff(), member.id).json
    assert (details["total_wager"], details["email_verified"], details["profile_color"]) == ("NaN", False, None)
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"
    assert [spin["timestamp"] for spin in details["spins"]] == [first, first, last]


def test_nothing_secret_is_among_it(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new(password="$argon2id$secret-hash")
    text = get(functions, members.staff(), member.id).text
    with database.connect() as connection:
        row = sa.text("SELECT encode(token_hash, 'hex') FROM sessions WHERE id = :id")
        token_hash = connection.scalar(row, {"id": member.session_id})
    for secret in ("argon2id", member.token, token_hash, "server_seed", "password", "hash"):
        assert secret not in text


def test_absent_and_erased_are_not_found(members: Members, functions: Functions) -> None:
    staff, erased = members.staff(), members.new(erased_at=NOON)
    for member_id in (erased.id, 2**31 - 1, 2**31, 0, -1, "ann", "1.0", "%00"):
        answer = get(functions, staff, member_id)
        assert (answer.status, answer.json["code"]) == (404, "not_found"), member_id


def test_staff_see_themselves_and_suspended_members(members: Members, functions: Functions) -> None:
    staff = members.staff()
    assert get(functions, staff, staff.id).json["is_staff"] is True
    suspended = members.new(suspended_at=NOON, suspended_reason="Chargeback")
    details = get(functions, staff, suspended.id).json
    assert (details["suspended_at"], details["suspended_reason"]) == (AT_NOON, "Chargeback")


def test_it_is_for_staff(members: Members, functions: Functions) -> None:
    member, demoted, suspended, signed_out = members.new(), members.staff(), members.staff(), members.staff()
    members.change(demoted, is_admin=False)
    members.change(suspended, suspended_at=NOON)
    members.end_session(signed_out)
    for member_id in (member.id, 2**31 - 1):
        assert get(functions, member, member_id).json["code"] == "forbidden"
        assert get(functions, demoted, member_id).json["code"] == "forbidden"
        assert get(functions, suspended, member_id).json["code"] == "account_suspended"
        assert get(functions, signed_out, member_id).status == 401
    assert functions.call("get_member").status == 401
    assert json.loads(functions.call("get_member").text)["code"] == "unauthenticated"


def test_times_of_what_has_not_happened_are_null(members: Members, functions: Functions, add: Any) -> None:
    member = members.new()
    add(rewards, user_id=member.id, source_type="grant", source_id=member.id, amount=5, created_at=NOON)
    add(account_links, user_id=member.id, uid=secrets.token_hex(8), requested_at=NOON)
    details = get(functions, members.staff(), member.id).json
    assert details["links"][0]["decided_at"] is None
    assert (details["rewards"][0]["state"], details["rewards"][0]["payout_id"]) == ("open", None)
