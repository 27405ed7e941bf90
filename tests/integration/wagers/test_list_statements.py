"""GET /v1/me/statements: a member reads their own."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from goatedvips.models.wagers import statements
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.rows import insert_row

WRITTEN = datetime(2026, 6, 1, 0, 10, tzinfo=UTC)
RESULT = {"race_id": 7, "title": "The week's race", "rank": 1, "prize": "50.00"}


def new(database: sa.Engine, member: Member, month: int, **columns: Any) -> None:
    counted: dict[str, Any] = {"wagered": Decimal("12.12345678"), "spins": 3, "claims": 2, "rewards": Decimal("-1.50")}
    given = counted | {"races": [], "tier": None, "created_at": WRITTEN} | columns
    insert_row(database, statements, user_id=member.id, month=datetime(2026, month, 1, tzinfo=UTC), **given)


def test_a_member_sees_only_their_own_newest_first(members: Members, functions: Functions, database: sa.Engine) -> None:
    member, other = members.new(), members.new()
    new(database, member, 3)
    new(database, member, 5, races=[RESULT, RESULT | {"rank": None, "prize": "0.00"}], tier="Gold")
    new(database, other, 4)
    answer = functions.call("list_statements", by=member)
    assert answer.status == 200
    newest, oldest = answer.json["items"]
    assert newest == {
        "month": "2026-05",
        "wagered": "12.12345678",
        "spins": 3,
        "claims": 2,
        "rewards": "-1.50",
        "races": [RESULT, RESULT | {"rank": None, "prize": "0.00"}],
        "tier": "Gold",
        "created_at": "2026-06-01T00:10:00Z",
    }
    assert (oldest["month"], oldest["races"], oldest["tier"]) == ("2026-03", [], None)


def test_only_a_signed_in_member_has_statements(functions: Functions) -> None:
    assert functions.call("list_statements").status == 401


def test_an_invalid_cursor_is_refused(members: Members, functions: Functions) -> None:
    assert functions.call("list_statements", by=members.new(), query={"cursor": "x"}).status == 422
