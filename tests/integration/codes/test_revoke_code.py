"""DELETE /v1/admin/codes/{id}: staff revoke a bonus code."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.codes import bonus_codes
from goatedvips.models.operations import audit_log
from tests.support.codes import Codes
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def revoke(functions: Functions, by: Member | None, code_id: object, now: datetime = NOON) -> Answer:
    return functions.call("revoke_code", by=by, path=f"/v1/admin/codes/{code_id}", now=now)


def revoked_at(database: sa.Engine, code_id: int) -> datetime | None:
    with database.connect() as connection:
        return connection.scalar(sa.select(bonus_codes.c.revoked_at).where(bonus_codes.c.id == code_id))


def audit_entries(database: sa.Engine, staff: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).all())


def test_nobody_can_claim_a_revoked_code_and_its_claims_stay(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    code, holder = codes.new(), members.new()
    body = {"code": code.code}
    first = functions.call("claim_code", by=holder, body=body, now=NOON)
    answer = revoke(functions, members.staff(), code.id)
    assert (first.status, answer.status, answer.text) == (201, 204, "")
    assert functions.call("claim_code", by=members.new(), body=body, now=NOON).json["code"] == "code_not_claimable"
    again = functions.call("claim_code", by=holder, body=body, now=NOON)
    assert (again.status, again.json) == (200, first.json)
    assert revoked_at(database, code.id) == NOON


def test_the_audit_log_records_the_revocation(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    staff, code = members.staff(), codes.new()
    answer = revoke(functions, staff, code.id)
    (entry,) = audit_entries(database, staff)
    assert (entry.action, entry.subject_id, entry.created_at) == ("revoke_code", code.id, NOON)
    assert (entry.before, entry.after) == ({"revoked_at": None}, {"revoked_at": "2026-05-01T12:00:00"})
    assert entry.request_id == answer.headers["X-Request-Id"]


def test_revoking_again_changes_nothing_and_is_not_recorded(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    staff, code = members.staff(), codes.new()
    for minute in range(2):
        assert revoke(functions, staff, code.id, NOON + timedelta(minutes=minute)).status == 204
    assert revoked_at(database, code.id) == NOON
    assert len(audit_entries(database, staff)) == 1


@pytest.mark.parametrize("code_id", [2**31 - 1, 2**31, 0, "x", "1%20"])
def test_a_code_that_does_not_exist_is_not_found(members: Members, functions: Functions, code_id: object) -> None:
    refused = revoke(functions, members.staff(), code_id)
    assert (refused.status, refused.json["code"]) == (404, "not_found")


def test_only_a_caller_who_is_staff_in_the_database_revokes(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    code, demoted = codes.new(), members.staff()
    members.change(demoted, is_admin=False)
    for by, expected in ((None, 401), (members.new(), 403), (demoted, 403)):
        assert revoke(functions, by, code.id).status == expected
    assert revoked_at(database, code.id) is None
