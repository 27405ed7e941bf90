"""POST /v1/admin/campaigns: staff write a campaign, which is a draft, and whose Markdown is rendered once."""

from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.newsletter import campaigns as table
from goatedvips.models.operations import audit_log
from tests.support.campaigns import WRITTEN_AT, Campaigns
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

CONTENT: dict[str, Any] = {"audience": "newsletter", "subject": "The week", "body": "Hello **goats**"}
ABSENT = {"tiers": None, "send_at": None, "per_day": None}


def create(functions: Functions, by: Member, **fields: Any) -> Answer:
    return functions.call("create_campaign", by=by, now=WRITTEN_AT, body=CONTENT | fields)


def test_a_campaign_begins_as_a_draft(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    staff = members.staff()
    answer = create(functions, staff)
    assert answer.status == 201, answer.text
    assert answer.json == CONTENT | ABSENT | {
        "id": answer.json["id"],
        "html": "<p>Hello <strong>goats</strong></p>\n",
        "plain_text": "Hello goats",
        "status": "draft",
        "paused_reason": None,
        "created_at": "2026-05-01T12:00:00Z",
        "created_by": staff.id,
        "updated_at": "2026-05-01T12:00:00Z",
        "ended_at": None,
    }
    assert campaigns.row(answer.json["id"]).html == answer.json["html"]


def test_every_field_is_kept(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    fields: dict[str, Any] = {
        "audience": "members",
        "tiers": ["Gold", "Diamond"],
        "subject": "  For you  ",
        "send_at": "2026-06-01T14:00:00+02:00",
        "per_day": 5000,
    }
    answer = create(functions, members.staff(), **fields)
    assert answer.status == 201, answer.text
    expected = fields | {"subject": "For you", "send_at": "2026-06-01T12:00:00Z", "body": CONTENT["body"]}
    assert {name: answer.json[name] for name in expected} == expected
    assert campaigns.row(answer.json["id"]).tiers == ["Gold", "Diamond"]


def test_the_audit_log_records_it(
    campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    answer = create(functions, staff)
    with database.connect() as connection:
        (entry,) = connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)).all()
    assert (entry.action, entry.subject_id, entry.before) == ("create_campaign", answer.json["id"], None)
    assert {name: entry.after[name] for name in CONTENT} == CONTENT
    assert entry.after["status"] == "draft"


def test_hostile_markdown_is_harmless(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    body = '<script>x</script> [a](javascript:b) ![c](cid:d) ![e](https://example.com/f.png) <p onclick="g">'
    html = create(functions, members.staff(), body=body).json["html"]
    assert html.startswith("<p>&lt;script&gt;")
    assert not any(part in html for part in ("<script", "<a", "<img", "href", "src=", "<p onclick"))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no audience": ({"audience": "everybody"}, "/audience"),
    "tiers of the newsletter": ({"tiers": ["Gold"]}, "/tiers"),
    "an unknown tier": ({"audience": "members", "tiers": ["Gold", "Lead"]}, "/tiers"),
    "no tiers": ({"audience": "members", "tiers": []}, "/tiers"),
    "a tier twice": ({"audience": "members", "tiers": ["Gold", "Gold"]}, "/tiers"),
    "a blank subject": ({"subject": " \u200b "}, "/subject"),
    "a long subject": ({"subject": "x" * 151}, "/subject"),
    "a turned subject": ({"subject": "a\u202eb"}, "/subject"),
    "no body": ({"body": ""}, "/body"),
    "a body that shows nothing": ({"body": "[x]: https://example.com"}, "/body"),
    "a long body": ({"body": "x" * 10_001}, "/body"),
    "a local time": ({"send_at": "2026-06-01T12:00:00"}, "/send_at"),
    "none a day": ({"per_day": 0}, "/per_day"),
    "a text of a number": ({"per_day": "10"}, "/per_day"),
    "a status": ({"status": "scheduled"}, "/status"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_wrong_field_is_refused(
    case: tuple[dict[str, Any], str],
    campaigns: Campaigns,
    members: Members,
    functions: Functions,
    database: sa.Engine,
) -> None:
    fields, pointer = case
    answer = create(functions, members.staff(), **fields)
    assert answer.status == 422, answer.text
    assert {error["pointer"].rstrip("/0123456789") for error in answer.json["errors"]} == {pointer}
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
