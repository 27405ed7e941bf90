"""Staff end the link of a member to a casino account, and the member is told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.models.accounts import erased_identities, users
from goatedvips.models.notifications import outbox
from goatedvips.models.operations import audit_log
from goatedvips.models.wagers import wager_accounts
from tests.support.credentials import compose_mail
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LINKED: dict[str, Any] = {
    "verified": True,
    "total_wager": Decimal(12_000),
    "wager_today": Decimal(1),
    "wager_week": Decimal(2),
    "wager_month": Decimal(3),
}


def end_link(functions: Functions, by: Member, member: Member, **fields: object) -> Answer:
    body = {"uid": None, "reason": "It is their sister's."} | fields
    return functions.call("update_member", by=by, path=f"/v1/admin/members/{member.id}", body=body, now=NOON)


def stored(database: sa.Engine, rows: sa.Select[Any]) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(rows))


def test_uid_and_totals_go_and_the_member_is_told(members: Members, functions: Functions, database: sa.Engine) -> None:
    member, staff = members.new(uid="goat-ends", **LINKED), members.staff()
    answer = end_link(functions, staff, member)
    assert answer.status == 200, answer.text
    assert [answer.json[name] for name in ("uid", "verified", "total_wager", "tier")] == [None, False, "0.00", "Bronze"]
    (row,) = stored(database, sa.select(users).where(users.c.id == member.id))
    assert (row.uid, row.verified, row.tier) == (None, False, "Bronze")
    assert {row.total_wager, row.wager_today, row.wager_week, row.wager_month} == {Decimal(0)}
    assert stored(database, sa.select(wager_accounts).where(wager_accounts.c.user_id == member.id)) == []
    (mail,) = stored(database, sa.select(outbox).where(outbox.c.user_id == member.id))
    assert (mail.kind, mail.address) == ("link_ended", member.email)
    assert mail.payload == {"uid": "goat-ends", "reason": "It is their sister's."}
    (entry,) = stored(database, sa.select(audit_log).where(audit_log.c.subject_id == member.id))
    assert (entry.action, entry.staff_id) == ("update_member", staff.id)
    assert (entry.before["uid"], entry.after["uid"]) == ("goat-ends", None)
    assert entry.after["reason"] == "It is their sister's."
    assert end_link(functions, staff, member).json == answer.json
    assert len(stored(database, sa.select(outbox).where(outbox.c.user_id == member.id))) == 1, (
        "there was no link to end"
    )


def test_the_exclusion_of_the_member_is_remembered_for_the_uid(
    members: Members, functions: Functions, database: sa.Engine
) -> None:
    excluded = members.new(uid="goat-excluded", excluded_until=NOON + timedelta(days=9), **LINKED)
    free = members.new(uid="goat-free", **LINKED)
    for member in (excluded, free):
        assert end_link(functions, members.staff(), member).status == 200
    remembered = sa.select(erased_identities).where(erased_identities.c.given_up_by.in_([excluded.id, free.id]))
    assert [(row.given_up_by, row.excluded_until) for row in stored(database, remembered)] == [
        (excluded.id, NOON + timedelta(days=9))
    ]


def test_other_changes_leave_the_link(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new(uid="goat-stays", **LINKED)
    path = f"/v1/admin/members/{member.id}"
    changed = functions.call("update_member", by=members.staff(), path=path, body={"email_verified": False}, now=NOON)
    assert (changed.status, changed.json["uid"], changed.json["verified"]) == (200, "goat-stays", True)
    assert changed.json["total_wager"] == "12000.00"


def test_no_mail_goes_to_an_unproved_address(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new(uid="goat-unproved", email_verified=False, **LINKED)
    assert end_link(functions, members.staff(), member).status == 200
    (mail,) = stored(database, sa.select(outbox).where(outbox.c.user_id == member.id))
    assert compose_mail(database, mail) is None


def test_it_needs_a_reason_and_takes_no_other_uid(members: Members, functions: Functions, database: sa.Engine) -> None:
    member = members.new(uid="goat-needs", **LINKED)
    for fields, pointer in (({"reason": None}, ""), ({"uid": "another"}, "/uid"), ({"uid": ""}, "/uid")):
        refused = end_link(functions, members.staff(), member, **fields)
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, pointer)
    (row,) = stored(database, sa.select(users).where(users.c.id == member.id))
    assert row.uid == "goat-needs"


def test_staff_cannot_end_their_own_link(members: Members, functions: Functions, database: sa.Engine) -> None:
    staff = members.staff(uid="goat-staff", **LINKED)
    refused = end_link(functions, staff, staff)
    assert (refused.status, refused.json["code"]) in {(403, "own_rights"), (409, "last_staff")}
    assert end_link(functions, members.new(), staff).status == 403
    (row,) = stored(database, sa.select(users).where(users.c.id == staff.id))
    assert row.uid == "goat-staff"
