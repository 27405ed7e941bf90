"""Members' requests to link a casino account, as staff see them."""

import secrets
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from goatedvips.domain.erased_identities import identity
from goatedvips.models.accounts import account_links, erased_identities
from goatedvips.models.wagers import wager_accounts
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_requests(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(account_links))


def listed(functions: Functions, by: Member | None, **query: object) -> Answer:
    return functions.call("list_links", by=by, query={name: str(value) for name, value in query.items()})


def put(database: sa.Engine, member: Member, **columns: object) -> int:
    given = {"user_id": member.id, "uid": f"uid-{secrets.token_hex(6)}", "requested_at": NOON} | columns
    with database.connect() as connection:
        made = connection.execute(sa.insert(account_links).values(given).returning(account_links.c.id))
        return int(made.scalar_one())


def test_a_request_comes_with_all_that_helps_to_decide_it(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    uid = f"uid-{secrets.token_hex(6)}"
    staff, member, holder = members.staff(), members.new(uid=f"{uid}-old"), members.new(uid=uid, hide_name=True)
    account = {"uid": uid, "name": "Goat of the Year", "total_wager": "12345.678", "read_at": NOON}
    figures = dict.fromkeys(("wager_today", "wager_week", "wager_month"), 0)
    with database.connect() as connection:
        connection.execute(sa.insert(wager_accounts).values(account | figures))
    link_id = put(database, member, uid=uid)
    answer = listed(functions, staff)
    assert answer.status == 200
    assert answer.json == {
        "items": [
            {
                "id": link_id,
                "user": {"id": member.id, "username": member.username},
                "uid": uid,
                "requested_at": "2026-05-01T12:00:00Z",
                "decision": None,
                "reason": None,
                "decided_at": None,
                "decided_by": None,
                "linked_uid": f"{uid}-old",
                "excluded": False,
                "uid_excluded": False,
                "other_requests": [],
                "taken_by": {"id": holder.id, "username": holder.username},
                "casino_account": {
                    "name": "Goat of the Year",
                    "total_wager": "12345.678",
                    "read_at": "2026-05-01T12:00:00Z",
                },
            }
        ],
        "next_cursor": None,
    }
    assert member.email not in answer.text


def test_exclusions_and_other_requests_for_the_same_uid_are_listed(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    uid = f"uid-{secrets.token_hex(6)}"
    member, other, third = members.new(excluded_permanently=True), members.new(), members.new()
    for requester in (member, other):
        put(database, requester, uid=uid)
    put(database, third, uid=uid, decision="refused", decided_at=NOON)
    put(database, third, uid=uid.upper())
    with database.connect() as connection:
        remembered = {"identity": identity("uid", sa.literal(uid)), "erased_at": NOON, "excluded_permanently": True}
        connection.execute(sa.insert(erased_identities).values(remembered))
    items = listed(functions, members.staff()).json["items"]
    assert [(item["excluded"], item["uid_excluded"]) for item in items] == [(True, True), (False, True), (False, False)]
    assert [[person["id"] for person in item["other_requests"]] for item in items] == [[other.id], [member.id], []]


def test_a_uid_that_nobody_has_and_the_feed_does_not_know_says_so(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    put(database, members.new())
    (item,) = listed(functions, members.staff()).json["items"]
    assert (item["linked_uid"], item["taken_by"], item["casino_account"]) == (None, None, None)


def test_a_uid_that_is_the_member_s_own_is_not_taken(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    uid = f"uid-{secrets.token_hex(6)}"
    put(database, members.new(uid=uid), uid=uid)
    (item,) = listed(functions, members.staff()).json["items"]
    assert (item["linked_uid"], item["taken_by"]) == (uid, None)


def test_pending_requests_are_oldest_first_and_decided_ones_newest_first(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    staff = members.staff()
    pending, decided = [], []
    for number in range(5):
        pending.append(put(database, members.new(seeds=False)))
        decision = {"decision": "approved" if number % 2 else "refused", "reason": "So.", "decided_by": staff.id}
        decided.append(put(database, members.new(seeds=False), **decision, decided_at=NOON))
    for status, ids in (("pending", pending), ("decided", decided[::-1])):
        assert [item["id"] for item in listed(functions, staff, status=status).json["items"]] == ids
    assert [item["id"] for item in listed(functions, staff).json["items"]] == pending
    newest = listed(functions, staff, status="decided").json["items"][0]
    assert (newest["decision"], newest["reason"], newest["decided_at"]) == ("refused", "So.", "2026-05-01T12:00:00Z")
    assert newest["decided_by"] == {"id": staff.id, "username": staff.username}


def test_no_requests_are_an_empty_list(functions: Functions, members: Members) -> None:
    for status in ("pending", "decided"):
        answer = listed(functions, members.staff(), status=status)
        assert (answer.status, answer.json) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"status": "approved"}, "/status"),
        ({"status": ""}, "/status"),
    ],
)
def test_a_query_that_means_nothing_is_refused(
    functions: Functions, members: Members, query: dict[str, str], pointer: str
) -> None:
    answer = listed(functions, members.staff(), **query)
    assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])


def test_it_is_for_staff_as_the_database_knows_them(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    put(database, members.new())
    assert listed(functions, None).json["code"] == "unauthenticated"
    assert listed(functions, members.new()).json["code"] == "forbidden"
    demoted, suspended, ended = members.staff(), members.staff(suspended_at=NOON), members.staff()
    members.change(demoted, is_admin=False)
    members.end_session(ended)
    for by, status, code in (
        (demoted, 403, "forbidden"),
        (suspended, 403, "account_suspended"),
        (ended, 401, "unauthenticated"),
    ):
        answer = listed(functions, by)
        assert (answer.status, answer.json["code"]) == (status, code)
