"""GET /v1/admin/campaigns/{id}: the counts of a campaign, and a preview of who will get it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.config import settings
from goatedvips.domain import erased_identities
from goatedvips.models.accounts import erased_identities as identities
from tests.support.campaigns import SEND_AT, WRITTEN_AT, Campaigns, queue_campaigns
from tests.support.functions import Answer, Functions
from tests.support.members import Members

NO_COUNTS = dict.fromkeys(("queued", "sent", "bounced", "complained", "unsubscribed", "dropped", "failed"), 0)
DIAMOND: dict[str, Any] = {"total_wager": Decimal(20_000_000), "tier": "Diamond"}


@pytest.fixture(autouse=True)
def rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "mail_rate", 2)


def get(functions: Functions, members: Members, campaign_id: int, now: datetime = WRITTEN_AT) -> Answer:
    return functions.call("get_campaign", by=members.staff(), now=now, path=f"/v1/admin/campaigns/{campaign_id}")


def left_out(preview: dict[str, Any]) -> dict[str, int]:
    return {part["reason"]: part["count"] for part in preview["left_out"]}


def test_a_preview_counts_subscribers_and_why_others_are_left_out(
    campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    emails = campaigns.subscribe(9)
    campaigns.subscribe(1, email=emails[8].upper(), email_key=None)  # an adopted row of the same mailbox
    campaigns.subscribe(2, is_subscribed=False, unsubscribed_at=WRITTEN_AT)
    campaigns.subscribe(3, is_subscribed=False, confirmed_at=None)
    campaigns.subscribe(1, email="not an address")
    campaigns.block(emails[0].upper(), bounced_at=WRITTEN_AT)
    campaigns.block(emails[1], complained_at=WRITTEN_AT, bounced_at=WRITTEN_AT)
    members.new(email=emails[2].title(), email_key=emails[2], excluded_permanently=True)
    campaigns.prefer(members.new(email=emails[3], email_key=emails[3]), email_notifications=False)
    with database.connect() as connection:
        gone = sa.select(erased_identities.identity("email", sa.literal(emails[4])), sa.true(), sa.literal(WRITTEN_AT))
        columns = ["identity", "excluded_permanently", "erased_at"]
        connection.execute(sa.insert(identities).from_select(columns, gone))
    answer = get(functions, members, campaigns.new())
    assert answer.status == 200, answer.text
    assert answer.json["counts"] == NO_COUNTS
    preview = answer.json["preview"]
    assert preview["recipients"] == 4
    assert left_out(preview) == {
        "unconfirmed": 3,
        "unsubscribed": 2,
        "excluded": 2,
        "bounced": 2,
        "channel_off": 1,
        "unreachable": 1,
    }
    assert [part["count"] for part in preview["left_out"]] == sorted(left_out(preview).values(), reverse=True)


def test_a_preview_counts_members(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaign_id = campaigns.new(audience="members", tiers=["Diamond"])
    before = get(functions, members, campaign_id).json["preview"]
    for _ in range(2):
        campaigns.prefer(members.new(**DIAMOND))
    members.new(**DIAMOND)  # who was never asked
    campaigns.prefer(members.new(**DIAMOND), promotional_offers=False)
    campaigns.prefer(members.new(**DIAMOND), email_notifications=False)
    campaigns.prefer(members.new(**DIAMOND, email_verified=False))
    campaigns.prefer(members.new(**DIAMOND, suspended_at=WRITTEN_AT))
    campaigns.prefer(members.new(**DIAMOND, excluded_until=WRITTEN_AT))
    campaigns.prefer(members.new(**DIAMOND, erased_at=WRITTEN_AT))
    campaigns.prefer(members.new(total_wager=Decimal(5)))  # of another tier
    bounced, complained = members.new(**DIAMOND), members.new(**DIAMOND)
    for member in (bounced, complained):
        campaigns.prefer(member)
    campaigns.block(bounced.email, bounced_at=WRITTEN_AT)
    campaigns.block(complained.email, complained_at=WRITTEN_AT)
    after = get(functions, members, campaign_id).json["preview"]
    assert after["recipients"] - before["recipients"] == 2
    old, new = left_out(before), left_out(after)
    assert {reason: count - old.get(reason, 0) for reason, count in new.items() if count != old.get(reason, 0)} == {
        "switched_off": 2,
        "channel_off": 1,
        "address_not_verified": 1,
        "suspended": 1,
        "excluded": 1,
        "bounced": 1,
        "complained": 1,
    }


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ENDS: dict[str, tuple[dict[str, Any], datetime | None]] = {
    "all at once": ({}, SEND_AT + timedelta(seconds=4.5)),
    "four a day": ({"per_day": 4}, SEND_AT + 2 * DAY + timedelta(seconds=0.5)),
    "three a day": ({"per_day": 3}, SEND_AT + 2 * DAY + timedelta(seconds=1.5)),
    "nine a day": ({"per_day": 9}, SEND_AT + timedelta(seconds=4.5)),
    "a draft without a time": ({"status": "draft", "send_at": None}, None),
    "a draft with a time past": ({"status": "draft", "send_at": WRITTEN_AT - DAY}, WRITTEN_AT + timedelta(seconds=4.5)),
    "overdue": ({"status": "paused", "send_at": WRITTEN_AT - DAY}, WRITTEN_AT + timedelta(seconds=4.5)),
}


@pytest.mark.parametrize("case", ENDS.values(), ids=ENDS)
def test_a_preview_says_when_the_last_mail_leaves(
    case: tuple[dict[str, Any], datetime | None], campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    columns, ends_at = case
    campaigns.subscribe(9)
    preview = get(functions, members, campaigns.new(**columns)).json["preview"]
    assert preview["recipients"] == 9
    assert (preview["ends_at"] and datetime.fromisoformat(preview["ends_at"]) == ends_at) or preview[
        "ends_at"
    ] is ends_at


def test_nobody_takes_no_time(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    preview = get(functions, members, campaigns.new(per_day=5)).json["preview"]
    assert preview == {"recipients": 0, "left_out": [], "ends_at": "2026-05-01T13:00:00Z"}


def test_counts_take_the_place_of_the_preview(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaigns.subscribe(9)
    campaign_id = campaigns.new()
    queue_campaigns(functions, SEND_AT)
    answer = get(functions, members, campaign_id, SEND_AT)
    assert (answer.json["status"], answer.json["preview"]) == ("sending", None)
    assert answer.json["counts"] == NO_COUNTS | {"queued": 9}
    campaigns.change_mails(campaign_id, 6, sent_at=SEND_AT)
    campaigns.change_mails(campaign_id, 3, bounced_at=SEND_AT)
    campaigns.change_mails(campaign_id, 2, complained_at=SEND_AT)
    campaigns.change_mails(campaign_id, 1, unsubscribed_at=SEND_AT)
    assert get(functions, members, campaign_id).json["counts"] == NO_COUNTS | {
        "queued": 9,
        "sent": 6,
        "bounced": 3,
        "complained": 2,
        "unsubscribed": 1,
    }


def test_final_counts_are_shown_after_the_mail_is_purged(
    campaigns: Campaigns, members: Members, functions: Functions
) -> None:
    final = NO_COUNTS | {"queued": 7, "sent": 5}
    answer = get(functions, members, campaigns.new(status="sent", queued_at=WRITTEN_AT, final_counts=final))
    assert answer.json["counts"] == final


def test_there_is_no_other_campaign(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    assert get(functions, members, 2**31 - 1).status == 404
