"""Campaigns are queued, paused and cancelled by several runs and requests at once, and runs are killed."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from sqlalchemy import Connection

from goatedvips import db
from goatedvips.domain.access import Caller
from goatedvips.domain.newsletter import campaign_changes, campaign_ends, queueing
from goatedvips.domain.newsletter.queueing import Due
from goatedvips.models.newsletter import campaigns as table
from goatedvips.models.notifications import outbox
from tests.concurrency.together import at_once, at_once_behind, run_behind
from tests.support.campaigns import SEND_AT, Campaigns
from tests.support.members import Members


def queueing_of(campaign_id: int) -> Callable[[Connection], int]:
    return partial(queueing.queue, due=Due(campaign_id, "newsletter"), now=SEND_AT)


def changing(members: Members, campaign_id: int, status: str) -> Callable[[Connection], object]:
    staff = members.staff()
    caller = Caller(staff.id, staff.session_id, "test")
    return partial(
        campaign_changes.change, caller=caller, campaign_id=campaign_id, changes={"status": status}, now=SEND_AT
    )


def recipients(campaigns: Campaigns, campaign_id: int) -> list[str]:
    return [mail.address for mail in campaigns.mails(campaign_id)]


def test_of_many_runs_at_once_one_queues_the_campaign(campaigns: Campaigns, patient: str) -> None:
    emails, campaign_id = campaigns.subscribe(200), campaigns.new()
    counts = at_once(patient, [queueing_of(campaign_id)] * 8)
    assert sorted(counts, key=str) == [0] * 7 + [200], counts
    assert recipients(campaigns, campaign_id) == emails


def test_of_many_runs_at_once_one_queues_each_portion(campaigns: Campaigns, patient: str) -> None:
    emails, campaign_id = campaigns.subscribe(60), campaigns.new(per_day=30)
    for _ in range(2):
        counts = Counter(at_once(patient, [queueing_of(campaign_id)] * 6))
        assert counts == {0: 5, 30: 1}, counts
        campaigns.change_mails(campaign_id, 60, sent_at=SEND_AT)
        with campaigns.database.connect() as connection:
            connection.execute(sa.update(table).values(next_portion_at=SEND_AT))
    assert recipients(campaigns, campaign_id) == emails


def test_a_run_that_is_killed_leaves_nothing_and_the_next_one_does_it_all(campaigns: Campaigns, patient: str) -> None:
    emails, campaign_id = campaigns.subscribe(200), campaigns.new()
    before = campaigns.row(campaign_id)
    engine = db.make_engine(patient)
    connection = engine.connect()
    connection.begin()
    assert queueing_of(campaign_id)(connection) == 200
    pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    assert at_once(patient, [queueing_of(campaign_id)]) == [0]  # it does not wait for the run that has the campaign
    with campaigns.database.connect() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    connection.invalidate()
    engine.dispose()
    assert (campaigns.row(campaign_id), recipients(campaigns, campaign_id)) == (before, [])
    assert at_once(patient, [queueing_of(campaign_id)]) == [200]
    assert recipients(campaigns, campaign_id) == emails


def test_a_campaign_is_cancelled_after_it_is_queued_or_not_queued_at_all(
    campaigns: Campaigns, members: Members, patient: str
) -> None:
    campaigns.subscribe(20)
    queued, cancelled = campaigns.new(), campaigns.new()
    run_behind(campaigns.database, patient, queueing_of(queued), changing(members, queued, "cancelled"))
    at_once(patient, [changing(members, cancelled, "cancelled")])
    assert at_once(patient, [queueing_of(cancelled)]) == [0]
    assert [campaigns.row(campaign_id).status for campaign_id in (queued, cancelled)] == ["cancelled"] * 2
    at_once(patient, [partial(campaign_ends.settle, now=SEND_AT)])
    assert {mail.dropped_reason for mail in campaigns.mails(queued)} == {"campaign_cancelled"}
    assert campaigns.mails(cancelled) == []


def test_of_many_runs_at_once_one_pulls_the_brake_and_mails_staff(campaigns: Campaigns, patient: str) -> None:
    campaigns.subscribe(210)
    campaign_id = campaigns.new()
    at_once(patient, [queueing_of(campaign_id)])
    campaigns.change_mails(campaign_id, 200, sent_at=SEND_AT + campaign_ends.SETTLED_AFTER)
    campaigns.change_mails(campaign_id, 20, bounced_at=SEND_AT)
    row = sa.select(table.c.id).where(table.c.id == campaign_id)
    pausing = partial(campaign_ends.pause, now=SEND_AT)
    paused = at_once_behind(campaigns.database, row, patient, [pausing] * 6)
    assert sorted(len(found) for found in paused if isinstance(found, list)) == [0] * 5 + [1], paused
    with campaigns.database.connect() as connection:
        mails = sa.select(sa.func.count()).where(outbox.c.kind == "campaign_paused")
        assert connection.scalar(mails) == 1


def test_staff_resume_a_campaign_once(campaigns: Campaigns, members: Members, patient: str) -> None:
    campaign_id = campaigns.new(status="paused", queued_at=SEND_AT)
    row = sa.select(table.c.id).where(table.c.id == campaign_id)
    works = [changing(members, campaign_id, status) for status in ("sending", "cancelled", "sending", "cancelled")]
    at_once_behind(campaigns.database, row, patient, works)
    assert campaigns.row(campaign_id).status == "cancelled"
