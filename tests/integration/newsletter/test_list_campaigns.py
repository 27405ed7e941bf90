"""GET /v1/admin/campaigns: staff list campaigns, newest first, without their texts."""

from tests.support.campaigns import Campaigns
from tests.support.functions import Functions
from tests.support.members import Members


def test_the_newest_come_first(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    ids = [campaigns.new(subject=f"Number {number}", status="draft") for number in range(3)]
    staff = members.staff()
    first = functions.call("list_campaigns", by=staff, query={"limit": "2"}).json
    assert [item["id"] for item in first["items"]] == [ids[2], ids[1]]
    assert first["items"][0] == {
        "id": ids[2],
        "audience": "newsletter",
        "tiers": None,
        "subject": "Number 2",
        "send_at": "2026-05-01T13:00:00Z",
        "per_day": None,
        "status": "draft",
        "paused_reason": None,
        "created_at": "2026-05-01T12:00:00Z",
        "created_by": None,
        "updated_at": "2026-05-01T12:00:00Z",
        "ended_at": None,
    }
    rest = functions.call("list_campaigns", by=staff, query={"cursor": first["next_cursor"]}).json
    assert ([item["id"] for item in rest["items"]], rest["next_cursor"]) == ([ids[0]], None)


def test_there_may_be_none(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    answer = functions.call("list_campaigns", by=members.staff(), query={})
    assert answer.json == {"items": [], "next_cursor": None}
