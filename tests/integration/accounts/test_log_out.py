"""A member logs out."""

import sqlalchemy as sa

from tests.support.credentials import NOON, also_signed_in, is_live, problem
from tests.support.functions import Functions
from tests.support.members import Members


def test_a_session_ends_at_once_and_no_other_one(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, neighbour = members.new(), members.new()
    elsewhere = also_signed_in(database, member)
    answer = functions.call("log_out", by=member)
    assert (answer.status, answer.text) == (204, "")
    assert "Content-Type" not in answer.headers
    assert not is_live(functions, member)
    assert is_live(functions, elsewhere)
    assert is_live(functions, neighbour)


def test_staff_s_routes_are_closed_at_once_too(functions: Functions, members: Members) -> None:
    staff = members.staff()
    functions.call("log_out", by=staff)
    body = {"value": "5.00", "expires_at": "2099-01-01T00:00:00Z"}
    assert problem(functions.call("issue_codes", by=staff, body=body)) == (401, "unauthenticated")


def test_only_a_signed_in_member_can_log_out(functions: Functions, members: Members) -> None:
    member = members.new()
    functions.call("log_out", by=member)
    assert problem(functions.call("log_out", by=member)) == (401, "unauthenticated")
    assert problem(functions.call("log_out")) == (401, "unauthenticated")
    suspended = members.new(suspended_at=NOON)
    assert problem(functions.call("log_out", by=suspended)) == (403, "account_suspended")


def test_it_has_no_fields(functions: Functions, members: Members) -> None:
    member = members.new()
    assert functions.call("log_out", by=member, body={"all": True}).status == 422
    assert is_live(functions, member)
