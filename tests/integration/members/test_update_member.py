"""Staff close and open accounts, and make and unmake staff."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.accounts import sessions, users
from goatedvips.models.operations import audit_log
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOW = datetime.now(UTC)


def update(functions: Functions, by: Member, member_id: object, *, now: datetime = NOW, **fields: Any) -> Answer:
    return functions.call("update_member", by=by, path=f"/v1/admin/members/{member_id}", body=fields, now=now)


def row(database: sa.Engine, member: Member) -> sa.Row[Any]:
    with database.connect() as connection:
        return connection.execute(sa.select(users).where(users.c.id == member.id)).one()


def audited(database: sa.Engine, member: Member) -> list[sa.Row[Any]]:
    wanted = sa.select(audit_log).where(audit_log.c.action == "update_member", audit_log.c.subject_id == member.id)
    with database.connect() as connection:
        return list(connection.execute(wanted.order_by(audit_log.c.id)))


def live_sessions(database: sa.Engine, member: Member) -> int:
    wanted = sa.select(sa.func.count()).where(sessions.c.user_id == member.id, sessions.c.ended_at.is_(None))
    with database.connect() as connection:
        return int(connection.scalar(wanted) or 0)


@pytest.fixture
def only_staff(database: sa.Engine, members: Members) -> Iterator[Member]:
    """The only one of the staff, for as long as a test takes."""
    with database.connect() as connection:
        others = connection.scalars(
            sa.update(users).where(users.c.is_admin).values(is_admin=False).returning(users.c.id)
        )
        ids = others.all()
        yield members.staff()
        connection.execute(sa.update(users).where(users.c.id.in_(ids)).values(is_admin=True))


def test_a_suspension_closes_the_account_and_ends_its_sessions(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, staff, other = members.new(), members.staff(), members.new()
    answer = update(functions, staff, member.id, suspended=True, reason="  Chargeback  ")
    assert answer.status == 200, answer.text
    details = answer.json
    assert (details["id"], details["username"], details["suspended_reason"]) == (
        member.id,
        member.username,
        "Chargeback",
    )
    assert details["suspended_at"] == NOW.isoformat().replace("+00:00", "Z")
    suspended = row(database, member)
    assert (suspended.suspended_at, suspended.suspended_reason, suspended.is_admin) == (NOW, "Chargeback", False)
    assert (live_sessions(database, member), live_sessions(database, other)) == (0, 1)
    (entry,) = audited(database, member)
    assert (entry.staff_id, entry.request_id, entry.created_at) == (staff.id, answer.headers["X-Request-Id"], NOW)
    assert entry.before == {"suspended": False, "reason": None}
    assert entry.after == {"suspended": True, "reason": "Chargeback"}


def test_a_suspension_acts_on_the_next_write_and_staff_route_though_the_authorizer_s_answer_is_older(
    members: Members, functions: Functions
) -> None:
    suspended, staff = members.staff(), members.staff()
    assert functions.call("list_members", by=suspended, query={"limit": "1"}).status == 200
    assert update(functions, staff, suspended.id, suspended=True, reason="Left").status == 200
    for name, changes in (
        ("list_members", {"query": {"limit": "1"}}),
        ("spin_wheel", {"body": {}}),
        ("open_ticket", {"body": {"subject": "Help", "description": "Please"}}),
        ("get_overview", {}),
    ):
        assert functions.call(name, by=suspended, **changes).json["code"] == "account_suspended", name
    assert update(functions, suspended, staff.id, is_admin=False).json["code"] == "account_suspended"


def test_an_account_is_opened_again_and_the_sessions_stay_ended(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, staff = members.new(), members.staff()
    update(functions, staff, member.id, suspended=True, reason="Chargeback")
    answer = update(functions, staff, member.id, suspended=False, reason="It was the bank's mistake.")
    assert (answer.json["suspended_at"], answer.json["suspended_reason"]) == (None, None)
    assert row(database, member).suspended_reason is None
    assert live_sessions(database, member) == 0
    entry = audited(database, member)[-1]
    assert entry.before == {"suspended": True, "reason": "Chargeback"}
    assert entry.after == {"suspended": False, "reason": "It was the bank's mistake."}


def test_a_second_suspension_keeps_the_first_s_time_and_takes_its_reason(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, staff = members.new(), members.staff()
    update(functions, staff, member.id, suspended=True, reason="Chargeback")
    later = NOW + timedelta(hours=1)
    assert update(functions, staff, member.id, now=later, suspended=True, reason="Fraud").status == 200
    suspended = row(database, member)
    assert (suspended.suspended_at, suspended.suspended_reason) == (NOW, "Fraud")
    entry = audited(database, member)[-1]
    assert (entry.before, entry.after) == ({"reason": "Chargeback"}, {"reason": "Fraud"})


def test_staff_are_made_and_unmade_and_keep_their_sessions(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, staff = members.new(), members.staff()
    assert update(functions, staff, member.id, is_admin=True).json["is_staff"] is True
    promoted = Member(**{**vars(member), "is_staff": True})
    assert functions.call("list_members", by=promoted, query={"limit": "1"}).status == 200
    assert update(functions, staff, member.id, is_admin=False, reason="Left the team").json["is_staff"] is False
    assert functions.call("list_members", by=promoted, query={"limit": "1"}).json["code"] == "forbidden"
    assert update(functions, promoted, staff.id, is_admin=False).json["code"] == "forbidden"
    assert live_sessions(database, member) == 1
    made, unmade = audited(database, member)
    assert (made.before, made.after) == ({"is_admin": False}, {"is_admin": True})
    assert unmade.before == {"is_admin": True, "reason": None}
    assert unmade.after == {"is_admin": False, "reason": "Left the team"}
    assert row(database, member).suspended_reason is None


def test_an_address_is_taken_for_proved_and_no_longer(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member, staff = members.new(email_verified=None), members.staff()
    assert update(functions, staff, member.id, email_verified=True).json["email_verified"] is True
    assert row(database, member).email_verified is True
    assert update(functions, staff, member.id, email_verified=False).json["email_verified"] is False
    assert [(entry.before, entry.after) for entry in audited(database, member)] == [
        ({"email_verified": False}, {"email_verified": True}),
        ({"email_verified": True}, {"email_verified": False}),
    ]


def test_all_at_once(members: Members, functions: Functions, database: sa.Engine) -> None:
    member, staff = members.new(), members.staff()
    answer = update(functions, staff, member.id, suspended=True, reason="Why", is_admin=True, email_verified=False).json
    assert (answer["is_staff"], answer["email_verified"], answer["suspended_reason"]) == (True, False, "Why")
    (entry,) = audited(database, member)
    assert entry.before == {"suspended": False, "reason": None, "is_admin": False, "email_verified": True}
    assert entry.after == {"suspended": True, "reason": "Why", "is_admin": True, "email_verified": False}


@pytest.mark.parametrize(
    "fields",
    [
        {"suspended": False},
        {"is_admin": False},
        {"email_verified": True},
        {"suspended": None, "is_admin": False, "email_verified": True, "reason": "None at all"},
    ],
)
def test_a_change_to_the_present_value_records_nothing(
    members: Members, functions: Functions, database: sa.Engine, fields: dict[str, Any]
) -> None:
    member = members.new()
    before = row(database, member)
    answer = update(functions, members.staff(), member.id, **fields)
    assert (answer.status, answer.json["id"]) == (200, member.id)
    assert row(database, member) == before
    assert audited(database, member) == []
    assert live_sessions(database, member) == 1


@pytest.mark.parametrize(
    "fields",
    [{"suspended": True, "reason": "Me"}, {"suspended": False}, {"is_admin": False}, {"is_admin": True}],
)
def test_nobody_changes_their_own_rights(
    members: Members, functions: Functions, database: sa.Engine, fields: dict[str, Any]
) -> None:
    staff, _ = members.staff(), members.staff()
    refused = update(functions, staff, staff.id, **fields)
    assert (refused.status, refused.json["code"]) == (403, "own_rights")
    assert row(database, staff).is_admin
    assert audited(database, staff) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"suspended": True, "reason": "Me"}, "last_staff"),
        ({"is_admin": False}, "last_staff"),
        ({"is_admin": False, "suspended": False}, "last_staff"),
        ({"is_admin": True}, "own_rights"),
        ({"suspended": False}, "own_rights"),
    ],
)
def test_the_last_of_the_staff_stays(
    only_staff: Member, members: Members, functions: Functions, fields: dict[str, Any], code: str
) -> None:
    members.staff(suspended_at=NOW)  # who is of no help
    members.staff(erased_at=NOW)
    assert update(functions, only_staff, only_staff.id, **fields).json["code"] == code


def test_an_own_address_is_no_right(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff = members.staff(email_verified=False)
    assert update(functions, staff, staff.id, email_verified=True).status == 200
    assert row(database, staff).email_verified


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({}, [""]),
        ({"reason": "Why"}, [""]),
        ({"suspended": None}, [""]),
        ({"suspended": True}, [""]),
        ({"suspended": True, "reason": None}, [""]),
        ({"suspended": True, "reason": ""}, ["/reason"]),
        ({"suspended": True, "reason": "   "}, ["/reason"]),
        ({"suspended": True, "reason": "x" * 10_001}, ["/reason"]),
        ({"suspended": True, "reason": "a\x00b"}, ["/reason"]),
        ({"suspended": True, "reason": "\ud800"}, ["/reason"]),
        ({"suspended": True, "reason": 7}, ["/reason"]),
        ({"suspended": "true", "reason": "Why"}, ["/suspended"]),
        ({"is_admin": 1}, ["/is_admin"]),
        ({"is_admin": "yes"}, ["/is_admin"]),
        ({"email_verified": []}, ["/email_verified"]),
        ({"is_staff": True}, ["/is_staff"]),
        ({"is_admin": True, "password": "x", "id": 1}, ["/password", "/id"]),
    ],
)
def test_an_invalid_change_is_refused_with_its_pointer(
    members: Members, functions: Functions, fields: dict[str, Any], pointers: list[str]
) -> None:
    member = members.new()
    refused = functions.call("update_member", by=members.staff(), path=f"/v1/admin/members/{member.id}", body=fields)
    assert refused.status == 422, refused.text
    assert [error["pointer"] for error in refused.json["errors"]] == pointers


def test_the_longest_reason_fits_and_is_kept_as_nfc(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    member = members.new()
    assert (
        update(functions, members.staff(), member.id, suspended=True, reason="e\u0301" * 2000 + "x" * 8000).status
        == 200
    )
    assert row(database, member).suspended_reason == "\u00e9" * 2000 + "x" * 8000


def test_absent_and_erased_are_not_found(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff, erased = members.staff(), members.new(erased_at=NOW)
    for member_id in (erased.id, 2**31 - 1, 2**31, 0, "ann"):
        assert update(functions, staff, member_id, is_admin=True).json["code"] == "not_found", member_id
    assert not row(database, erased).is_admin
    assert audited(database, erased) == []


def test_it_is_for_staff(members: Members, functions: Functions, database: sa.Engine) -> None:
    member, demoted, suspended, signed_out = members.new(), members.staff(), members.staff(), members.staff()
    members.change(demoted, is_admin=False)
    members.change(suspended, suspended_at=NOW)
    members.end_session(signed_out)
    for by, code in (
        (members.new(), "forbidden"),
        (member, "forbidden"),
        (demoted, "forbidden"),
        (suspended, "account_suspended"),
        (signed_out, "unauthenticated"),
    ):
        assert update(functions, by, member.id, is_admin=True).json["code"] == code
        assert update(functions, by, by.id, is_admin=True).json["code"] == code, "whoever it is about"
    assert functions.call("update_member", body={"is_admin": True}).status == 401
    assert not row(database, member).is_admin
    assert audited(database, member) == []
