"""GET /v1/me/notifications: the inbox."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from goatedvips.models.accounts import account_links
from goatedvips.models.notifications import notifications
from tests.support.campaigns import Campaigns
from tests.support.functions import Functions
from tests.support.members import Member, Members
from tests.support.rows import insert_row

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def add(database: sa.Engine, member: Member, kind: str = "tier_reached", **columns: Any) -> int:
    given = {"payload": {"tier": "Gold", "reward": "25.00"}, "created_at": NOON - HOUR, "due_at": NOON - HOUR} | columns
    return insert_row(database, notifications, user_id=member.id, kind=kind, **given)


def get(functions: Functions, member: Member, **query: str) -> dict[str, Any]:
    answer = functions.call("list_notifications", by=member, query=query, now=NOON)
    assert answer.status == 200
    return dict(answer.json)


def test_the_inbox_shows_what_is_due_newest_first(functions: Functions, members: Members, database: sa.Engine) -> None:
    member, other = members.new(), members.new()
    early, late = add(database, member), add(database, member, due_at=NOON)
    read_one = add(database, member, due_at=NOON - 2 * HOUR, read_at=NOON - HOUR)
    add(database, member, due_at=NOON + timedelta(microseconds=1))
    add(database, other)
    inbox = get(functions, member)
    assert [item["id"] for item in inbox["items"]] == [late, early, read_one]
    assert (inbox["unread"], inbox["next_cursor"]) == (2, None)
    assert inbox["items"][1] == {
        "id": early,
        "kind": "tier_reached",
        "title": "You have reached the tier Gold",
        "body": "Your reward of $25.00 is in your rewards.",
        "created_at": "2026-05-01T11:00:00Z",
        "read_at": None,
    }
    assert inbox["items"][2]["read_at"] == "2026-05-01T11:00:00Z"
    first = get(functions, member, limit="1")
    second = get(functions, member, limit="2", cursor=first["next_cursor"])
    assert [item["id"] for item in second["items"]] == [early, read_one]
    assert second["unread"] == 2, "of the whole inbox, on each page"


def test_an_empty_inbox_has_nothing_unread(functions: Functions, members: Members) -> None:
    assert get(functions, members.new()) == {"items": [], "next_cursor": None, "unread": 0}


def test_a_row_of_another_version_does_not_hide_the_others(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member = members.new()
    add(database, member)
    add(database, member, "goat_born", due_at=NOON)
    add(database, member, "race_result", payload={}, due_at=NOON)
    titles = [item["title"] for item in get(functions, member)["items"]]
    assert titles == ["Race result", "Goat born", "You have reached the tier Gold"]


def test_words_of_other_tables_are_as_they_stand_there_now(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    member, campaign_id = members.new(), Campaigns(database).new(subject="Spring", plain_text="A week of goats.")
    decided = {"decision": "refused", "decided_at": NOON}
    link = insert_row(
        database, account_links, user_id=member.id, uid="goat-7", requested_at=NOON, reason="Not yours.", **decided
    )
    add(database, member, "link_decided", payload={"link_id": link, "decision": "refused"})
    add(database, member, "campaign", payload={"campaign_id": campaign_id})
    campaign, decision = get(functions, member)["items"]
    assert (campaign["title"], campaign["body"]) == ("Spring", "A week of goats.")
    assert decision["title"] == "Your casino account was not linked"
    assert decision["body"] == "Casino account goat-7: You can ask again at any time. Our reason: Not yours."


def test_nobody_has_no_inbox(functions: Functions) -> None:
    assert functions.call("list_notifications").status == 401
