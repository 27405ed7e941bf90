"""DELETE /v1/admin/codes?batch_id=: staff revoke all codes of a batch."""

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


def revoke(functions: Functions, by: Member | None, batch_id: object, now: datetime = NOON) -> Answer:
    return functions.call("revoke_batch", by=by, query={"batch_id": str(batch_id)}, now=now)


def codes_of(database: sa.Engine, batch_id: int) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        rows = sa.select(bonus_codes).where(bonus_codes.c.batch_id == batch_id).order_by(bonus_codes.c.id)
        return list(connection.execute(rows).all())


def audit_entries(database: sa.Engine, staff: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        rows = connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id).order_by(audit_log.c.id))
        return list(rows.all())


def test_all_codes_of_the_batch_are_revoked_and_no_others(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    batch, other = codes.batch(3), codes.batch(2)
    holder, (first, second, _) = members.new(), codes_of(database, batch)
    claimed = functions.call("claim_code", by=holder, body={"code": first.code}, now=NOON)
    answer = revoke(functions, members.staff(), batch)
    assert (answer.status, answer.json) == (200, {"count": 3})
    assert [row.revoked_at for row in codes_of(database, batch)] == [NOON] * 3
    assert [row.revoked_at for row in codes_of(database, other)] == [None] * 2
    assert functions.call("claim_code", by=members.new(), body={"code": second.code}, now=NOON).status == 404
    again = functions.call("claim_code", by=holder, body={"code": first.code}, now=NOON)
    assert (claimed.status, again.status, again.json) == (201, 200, claimed.json)


def test_only_codes_that_this_call_revoked_are_counted_and_keep_their_time(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    staff, batch = members.staff(), codes.batch(3)
    first = codes_of(database, batch)[0]
    assert functions.call("revoke_code", by=staff, path=f"/v1/admin/codes/{first.id}", now=NOON).status == 204
    later = NOON + timedelta(hours=1)
    answers = [revoke(functions, staff, batch, later).json for _ in range(2)]
    assert answers == [{"count": 2}, {"count": 0}]
    assert [row.revoked_at for row in codes_of(database, batch)] == [NOON, later, later]
    _, entry = audit_entries(database, staff)
    assert (entry.action, entry.subject_id, entry.created_at) == ("revoke_batch", batch, later)
    assert (entry.before, entry.after) == ({"revoked": 1}, {"revoked": 3})


@pytest.mark.parametrize(("query", "status"), [({}, 422), ({"batch_id": "x"}, 422), ({"batch_id": "2147483647"}, 404)])
def test_a_batch_must_be_named_and_exist(
    members: Members, functions: Functions, query: dict[str, str], status: int
) -> None:
    refused = functions.call("revoke_batch", by=members.staff(), query=query)
    assert refused.status == status
    if status == 422:
        assert [error["pointer"] for error in refused.json["errors"]] == ["/batch_id"]


def test_only_a_caller_who_is_staff_in_the_database_revokes(
    members: Members, functions: Functions, database: sa.Engine, codes: Codes
) -> None:
    batch, demoted = codes.batch(2), members.staff()
    members.change(demoted, is_admin=False)
    for by, expected in ((None, 401), (members.new(), 403), (demoted, 403)):
        assert revoke(functions, by, batch).status == expected
    assert [row.revoked_at for row in codes_of(database, batch)] == [None] * 2
