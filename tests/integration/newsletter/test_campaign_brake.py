"""The brake: a campaign that bounces or is complained about pauses itself."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.models.notifications import outbox
from tests.support.campaigns import SEND_AT, Campaigns, queue_campaigns
from tests.support.functions import Functions
from tests.support.members import Members

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CASES: dict[str, tuple[int, int, int, str | None]] = {  # sent, bounced, complained, reason
    "199 mails are too few": (199, 199, 199, None),
    "9 bounces are too few": (200, 9, 0, None),
    "10 bounces of 200": (200, 10, 0, "bounces"),
    "10 bounces of 201": (201, 10, 0, None),
    "11 bounces of 220": (220, 11, 0, "bounces"),
    "2 complaints are too few": (200, 0, 2, None),
    "3 complaints of 200": (200, 0, 3, "complaints"),
    "3 complaints of 3,000": (3000, 0, 3, "complaints"),
    "3 complaints of 3,001": (3001, 0, 3, None),
    "both": (400, 30, 3, "complaints"),
}


SEND = sa.text("""
    INSERT INTO outbox (kind, priority, address, campaign_id, created_at, due_at, sent_at, bounced_at, complained_at)
    SELECT 'newsletter', 4, md5(random()::text), campaign_id, at, at, at, CASE WHEN n <= bounced THEN at END,
        CASE WHEN n > sent - complained THEN at END
    FROM (SELECT CAST(:campaign_id AS integer) AS campaign_id, CAST(:sent_at AS timestamp) AS at,
            CAST(:sent AS integer) AS sent, CAST(:bounced AS integer) AS bounced,
            CAST(:complained AS integer) AS complained) given, generate_series(1, sent) n
""").bindparams(sa.bindparam("sent_at", type_=outbox.c.sent_at.type))


def send(
    campaigns: Campaigns,
    campaign_id: int,
    sent: int,
    bounced: int = 0,
    complained: int = 0,
    sent_at: datetime = SEND_AT + MINUTE,
) -> None:
    """Insert mails of a campaign that were sent, of which some bounced and some were complained about."""
    counts = {"sent": sent, "bounced": bounced, "complained": complained}
    with campaigns.database.connect() as connection:
        connection.execute(SEND, counts | {"campaign_id": campaign_id, "sent_at": sent_at})


def begin(campaigns: Campaigns, **columns: Any) -> int:
    """Make a campaign that is being sent, with one mail that waits."""
    window = {"window_began_at": SEND_AT, "counted_until": SEND_AT}
    campaign_id = campaigns.new(status="sending", queued_at=SEND_AT, **window | columns)
    send(campaigns, campaign_id, 1)
    campaigns.change_mails(campaign_id, 1, sent_at=None)
    return campaign_id


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_pauses_a_campaign(
    case: tuple[int, int, int, str | None],
    campaigns: Campaigns,
    functions: Functions,
    database: sa.Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent, bounced, complained, reason = case
    campaign_id = begin(campaigns)
    send(campaigns, campaign_id, sent, bounced, complained)
    done = queue_campaigns(functions, SEND_AT + 2 * MINUTE)
    assert done.get("paused", 0) == (reason is not None)
    row = campaigns.row(campaign_id)
    assert (row.status, row.paused_reason) == ("paused" if reason else "sending", reason)
    alarms = [vars(record) for record in caplog.records if record.getMessage() == "alarm"]
    with database.connect() as connection:
        mails = connection.execute(sa.select(outbox).where(outbox.c.kind == "campaign_paused")).all()
    figures = {"sent": sent, "bounced": bounced, "complained": complained}
    details = {"campaign_id": campaign_id, "reason": reason} | figures
    assert [mail.payload for mail in mails] == ([details] if reason else [])
    assert [(alarm["alarm"], alarm["campaign_id"], alarm["reason"]) for alarm in alarms] == (
        [("campaign_paused", campaign_id, reason)] if reason else []
    )


def test_resuming_begins_a_fresh_window(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    campaign_id = begin(campaigns)
    send(campaigns, campaign_id, 200, 20)
    queue_campaigns(functions, SEND_AT + 2 * MINUTE)
    path, body = f"/v1/admin/campaigns/{campaign_id}", {"status": "sending"}
    functions.call("update_campaign", by=members.staff(), now=SEND_AT + 3 * MINUTE, path=path, body=body)
    assert "paused" not in queue_campaigns(functions, SEND_AT + 4 * MINUTE)
    # Mail from before the window can still bounce; only the window's own mail counts.
    with campaigns.database.connect() as connection:
        connection.execute(sa.update(outbox).where(outbox.c.sent_at < SEND_AT + 3 * MINUTE).values(bounced_at=SEND_AT))
    send(campaigns, campaign_id, 200, 9, sent_at=SEND_AT + 5 * MINUTE)
    assert "paused" not in queue_campaigns(functions, SEND_AT + 6 * MINUTE)
    send(campaigns, campaign_id, 1, 1, sent_at=SEND_AT + 5 * MINUTE)
    assert "paused" not in queue_campaigns(functions, SEND_AT + 6 * MINUTE)  # 10 of 201
    send(campaigns, campaign_id, 1, 1, sent_at=SEND_AT + 5 * MINUTE)
    assert queue_campaigns(functions, SEND_AT + 6 * MINUTE)["paused"] == 1


def test_counting_goes_on_where_it_ended(campaigns: Campaigns, functions: Functions) -> None:
    campaign_id = begin(campaigns)
    for minutes in range(1, 9):
        send(campaigns, campaign_id, 100, sent_at=SEND_AT + minutes * MINUTE)
    queue_campaigns(functions, SEND_AT + 8 * MINUTE)
    row = campaigns.row(campaign_id)
    assert (row.counted_sent, row.counted_until) == (200, SEND_AT + 3 * MINUTE)
    queue_campaigns(functions, SEND_AT + 9 * MINUTE)
    assert campaigns.row(campaign_id).counted_sent == 300
    send(campaigns, campaign_id, 42, 42, sent_at=SEND_AT + 9 * MINUTE)  # 42 of 842
    assert "paused" not in queue_campaigns(functions, SEND_AT + 9 * MINUTE)
    send(campaigns, campaign_id, 1, 1, sent_at=SEND_AT + 9 * MINUTE)  # 43 of 843
    assert queue_campaigns(functions, SEND_AT + 20 * MINUTE)["paused"] == 1


def test_a_campaign_that_ended_is_not_paused(campaigns: Campaigns, functions: Functions) -> None:
    campaign_id = campaigns.new(status="sent", queued_at=SEND_AT, window_began_at=SEND_AT, counted_until=SEND_AT)
    send(campaigns, campaign_id, 200, 100)
    assert "paused" not in queue_campaigns(functions, SEND_AT + DAY)
