"""PATCH /v1/admin/campaigns/{id}: what staff may change of a campaign, and which status follows which."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.operations import audit_log
from tests.support.campaigns import SEND_AT, WRITTEN_AT, Campaigns
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members

LATER = WRITTEN_AT + timedelta(minutes=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STATUSES = ("draft", "scheduled", "sending", "paused", "sent", "cancelled")
ALLOWED = {
    ("draft", "scheduled"),
    ("draft", "cancelled"),
    ("scheduled", "draft"),
    ("scheduled", "cancelled"),
    ("sending", "paused"),
    ("sending", "cancelled"),
    ("paused", "sending"),
    ("paused", "cancelled"),
}


def change(functions: Functions, campaign_id: object, by: Member, **fields: Any) -> Answer:
    path = f"/v1/admin/campaigns/{campaign_id}"
    return functions.call("update_campaign", by=by, now=LATER, path=path, body=fields)


def entries(database: sa.Engine, staff: Member) -> list[sa.Row[Any]]:
    with database.connect() as connection:
        return list(connection.execute(sa.select(audit_log).where(audit_log.c.staff_id == staff.id)))


def test_the_content_can_change_and_is_rendered_anew(
    campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    campaign_id, staff = campaigns.new(status="draft", per_day=10), members.staff()
    fields = {"subject": "New", "body": "*New*", "audience": "members", "tiers": ["Gold"], "per_day": None}
    answer = change(functions, campaign_id, staff, **fields)
    assert answer.status == 200, answer.text
    assert {name: answer.json[name] for name in fields} == fields
    assert (answer.json["html"], answer.json["plain_text"]) == ("<p><em>New</em></p>\n", "New")
    assert (answer.json["status"], answer.json["updated_at"]) == ("draft", "2026-05-01T12:05:00Z")
    (entry,) = entries(database, staff)
    assert (entry.action, entry.subject_id) == ("update_campaign", campaign_id)
    assert entry.after == fields
    assert entry.before["subject"] == "The week"


def test_values_that_it_has_already_change_nothing(
    campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    for status in ("draft", "sending", "cancelled"):
        campaign_id = campaigns.new(status=status, queued_at=WRITTEN_AT)
        before = campaigns.row(campaign_id)
        answer = change(functions, campaign_id, staff, subject="The week", status=status, body=None, tiers=None)
        assert answer.status == 200, answer.text
        assert campaigns.row(campaign_id) == before
    assert entries(database, staff) == []


@pytest.mark.parametrize("present", STATUSES)
def test_each_status_is_followed_by_some_only(
    present: str, campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    staff = members.staff()
    for wanted in ("draft", "scheduled", "sending", "paused", "cancelled"):
        campaign_id = campaigns.new(status=present)
        answer = change(functions, campaign_id, staff, status=wanted)
        if wanted == present or (present, wanted) in ALLOWED:
            assert (answer.status, answer.json.get("status")) == (200, wanted), (present, wanted)
        else:
            assert (answer.status, answer.json["code"]) == (409, "campaign_status_refused"), (present, wanted)
            assert answer.json["present"] == present
            assert campaigns.row(campaign_id).status == present
    recorded = {(entry.before["status"], entry.after["status"]) for entry in entries(database, staff)}
    assert recorded == {pair for pair in ALLOWED if pair[0] == present}


def test_no_status_but_these_can_be_asked_for(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaign_id = campaigns.new(status="sending")
    assert change(functions, campaign_id, members.staff(), status="sent").status == 422


@pytest.mark.parametrize(
    ("status", "queued"),
    [("sending", True), ("sending", False), ("paused", True), ("sent", True), ("cancelled", False)],
)
def test_the_content_is_frozen_once_recipients_are_queued(
    status: str, queued: bool, campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    campaign_id = campaigns.new(status=status, queued_at=WRITTEN_AT if queued else None)
    before = campaigns.row(campaign_id)
    for fields in ({"subject": "x"}, {"body": "x"}, {"per_day": 1}, {"send_at": None}, {"audience": "members"}):
        answer = change(functions, campaign_id, members.staff(), **fields)
        assert (answer.status, answer.json["code"]) == (409, "campaign_frozen"), fields
    assert campaigns.row(campaign_id) == before


def test_an_overdue_campaign_can_still_change(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaign_id = campaigns.new(status="paused", paused_reason="overdue")
    answer = change(functions, campaign_id, members.staff(), subject="Late news")
    assert (answer.status, answer.json["paused_reason"]) == (200, "overdue")


@pytest.mark.parametrize("send_at", [None, LATER - HOUR - timedelta(seconds=1), LATER - DAY])
def test_a_campaign_is_not_scheduled_for_a_time_long_past(
    send_at: Any, campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    staff = members.staff()
    draft, scheduled = campaigns.new(status="draft", send_at=send_at), campaigns.new()
    given = send_at and send_at.isoformat()
    for answer in (
        change(functions, draft, staff, status="scheduled"),
        change(functions, scheduled, staff, send_at=given),
    ):
        assert answer.status == 422, answer.text
        assert [error["pointer"] for error in answer.json["errors"]] == ["/send_at"]
    assert (campaigns.row(draft).status, campaigns.row(scheduled).send_at) == ("draft", SEND_AT)


def test_a_campaign_may_begin_at_once(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaign_id = campaigns.new(status="draft", send_at=None)
    now = LATER - HOUR
    answer = change(functions, campaign_id, members.staff(), status="scheduled", send_at=now.isoformat())
    assert (answer.status, answer.json["status"]) == (200, "scheduled")


def test_staff_pause_resume_and_cancel(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    tomorrow = LATER + DAY
    window = {"window_began_at": WRITTEN_AT, "counted_until": WRITTEN_AT, "counted_sent": 500}
    campaign_id = campaigns.new(
        status="sending", queued_at=WRITTEN_AT, next_portion_at=LATER + HOUR, per_day=10, **window
    )
    staff = members.staff()
    paused = change(functions, campaign_id, staff, status="paused").json
    assert (paused["status"], paused["paused_reason"]) == ("paused", "staff")
    row = campaigns.row(campaign_id)
    assert {name: getattr(row, name) for name in window} == window

    resumed = change(functions, campaign_id, staff, status="sending").json
    assert (resumed["status"], resumed["paused_reason"]) == ("sending", None)
    row = campaigns.row(campaign_id)
    assert (row.window_began_at, row.counted_until, row.counted_sent) == (LATER, LATER, 0)
    assert row.next_portion_at == LATER + HOUR
    assert row.next_portion_at < tomorrow

    cancelled = change(functions, campaign_id, staff, status="cancelled").json
    assert (cancelled["status"], cancelled["ended_at"]) == ("cancelled", "2026-05-01T12:05:00Z")


def test_a_change_of_the_status_renders_nothing_anew(
    campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    rendered = {"html": "<p>as it was tested</p>", "plain_text": "as it was tested"}
    campaign_id = campaigns.new(status="sending", queued_at=WRITTEN_AT, **rendered)
    answer = change(functions, campaign_id, members.staff(), status="paused")
    assert {name: answer.json[name] for name in rendered} == rendered


def test_resuming_what_never_began_begins_it(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaign_id = campaigns.new(status="paused", paused_reason="overdue", send_at=LATER - DAY)
    assert change(functions, campaign_id, members.staff(), status="sending").status == 200
    assert campaigns.row(campaign_id).next_portion_at == LATER


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, ""),
    "tiers of the newsletter": ({"tiers": ["Gold"]}, "/tiers"),
    "an unknown tier": ({"audience": "members", "tiers": ["Lead"]}, "/tiers"),
    "a body that shows nothing": ({"body": "#"}, "/body"),
    "a blank subject": ({"subject": " "}, "/subject"),
    "an unknown field": ({"html": "<p>"}, "/html"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_wrong_field_is_refused(
    case: tuple[dict[str, Any], str], campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    fields, pointer = case
    campaign_id = campaigns.new(status="draft")
    answer = change(functions, campaign_id, members.staff(), **fields)
    assert answer.status == 422, answer.text
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_there_is_no_other_campaign(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    assert change(functions, 2**31 - 1, members.staff(), subject="x").status == 404
    assert change(functions, "x", members.staff(), subject="x").status == 404
