"""The daily purge of rows whose retention period has passed."""

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips.domain.operations import retention
from goatedvips.models.accounts import attempts, mailed_tokens, sessions, users
from goatedvips.models.newsletter import newsletter_subscriptions
from goatedvips.models.notifications import mail_events, notifications, outbox
from goatedvips.models.operations import idempotency_records
from tests.support import stack
from tests.support.campaigns import Campaigns
from tests.support.functions import Functions, load
from tests.support.members import Members
from tests.support.plans import fill, plan, read_whole

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
DAY = timedelta(days=1)
EVENT = {"scheduled_time": "2026-05-01T12:00:00Z"}
NOTHING = dict.fromkeys(retention.KINDS, 0)


@pytest.fixture(autouse=True)
def _no_other_rows(database: sa.Engine) -> None:
    """Remove the rows of other tests, because a run purges all rows."""
    with database.connect() as connection:
        for table in (
            attempts,
            mailed_tokens,
            sessions,
            outbox,
            idempotency_records,
            newsletter_subscriptions,
            mail_events,
            notifications,
        ):
            connection.execute(sa.delete(table))
        connection.execute(sa.update(users).where(users.c.is_active).values(is_active=False))


@pytest.fixture
def add(database: sa.Engine) -> Any:
    def add(table: sa.Table, **columns: Any) -> int:
        with database.connect() as connection:
            return int(connection.scalar(sa.insert(table).values(columns).returning(table.c.id)) or 0)

    return add


@pytest.fixture
def remaining(database: sa.Engine) -> Any:
    def remaining(table: sa.Table) -> list[int]:
        with database.connect() as connection:
            return list(connection.scalars(sa.select(table.c.id).order_by(table.c.id)))

    return remaining


def run(functions: Functions, now: datetime = NOW) -> Any:
    return functions.invoke("purge_expired", EVENT, now=now)


def test_a_run_without_expired_rows_purges_none(functions: Functions) -> None:
    assert run(functions) == NOTHING


def test_attempts_are_purged_after_a_day(functions: Functions, add: Any, remaining: Any) -> None:
    given = {"kind": "log_in", "subject": "1", "address": "192.0.2.1"}
    add(attempts, attempted_at=NOW - DAY, **given)
    younger = add(attempts, attempted_at=NOW - DAY + MOMENT, **given)
    assert run(functions) == NOTHING | {"attempts": 1}
    assert remaining(attempts) == [younger]


def test_sessions_are_purged_30_days_after_their_end(
    functions: Functions, members: Members, add: Any, remaining: Any
) -> None:
    member = members.new(seeds=False)
    live = remaining(sessions)

    def session(*, expires_at: datetime, ended_at: datetime | None = None) -> int:
        made = {"user_id": member.id, "token_hash": secrets.token_bytes(32), "created_at": NOW - 400 * DAY}
        return int(add(sessions, expires_at=expires_at, ended_at=ended_at, **made))

    month = NOW - 30 * DAY
    session(expires_at=month)
    session(expires_at=NOW + DAY, ended_at=month)
    session(expires_at=month - DAY, ended_at=month + DAY)
    stay = [
        session(expires_at=month + MOMENT),
        session(expires_at=NOW + DAY, ended_at=month + MOMENT),
        session(expires_at=NOW + 30 * DAY),
    ]
    assert run(functions) == NOTHING | {"sessions": 3}
    assert remaining(sessions) == live + stay


def test_mailed_tokens_are_purged_30_days_after_their_use_or_end(
    functions: Functions, add: Any, remaining: Any
) -> None:
    def token(*, expires_at: datetime, used_at: datetime | None = None) -> int:
        made = {"purpose": "password_reset", "token_hash": secrets.token_bytes(32), "address": "ann@example.com"}
        return int(add(mailed_tokens, expires_at=expires_at, used_at=used_at, created_at=NOW - 400 * DAY, **made))

    month = NOW - 30 * DAY
    token(expires_at=month)
    token(expires_at=month + DAY, used_at=month)
    stay = [token(expires_at=month + MOMENT), token(expires_at=month + DAY, used_at=month + MOMENT)]
    assert run(functions) == NOTHING | {"mailed_tokens": 2}
    assert remaining(mailed_tokens) == stay


def test_ids_of_mail_events_are_purged_after_30_days(functions: Functions, add: Any, remaining: Any) -> None:
    add(mail_events, message_id="a", received_at=NOW - 30 * DAY)
    younger = add(mail_events, message_id="b", received_at=NOW - 30 * DAY + MOMENT)
    assert run(functions) == NOTHING | {"mail_events": 1}
    assert remaining(mail_events) == [younger]


def test_sent_mail_is_purged_after_90_days_and_failed_mail_stays(
    functions: Functions, add: Any, remaining: Any
) -> None:
    long_ago = NOW - 400 * DAY
    given = {"kind": "verification", "address": "ann@example.com", "created_at": long_ago, "due_at": long_ago}
    add(outbox, sent_at=NOW - 90 * DAY, **given)
    stay = [
        add(outbox, sent_at=NOW - 90 * DAY + MOMENT, **given),
        add(outbox, failed_at=long_ago, **given),
        add(outbox, **given),
    ]
    assert run(functions) == NOTHING | {"sent_mail": 1}
    assert remaining(outbox) == stay


def test_the_inbox_is_kept_for_a_year_read_or_not(
    functions: Functions, members: Members, add: Any, remaining: Any
) -> None:
    given = {"user_id": members.new(seeds=False).id, "kind": "tier_reached", "created_at": NOW - 400 * DAY}
    add(notifications, due_at=NOW - 365 * DAY, **given)
    add(notifications, due_at=NOW - 365 * DAY, read_at=NOW, **given)
    stay = [add(notifications, due_at=NOW - 365 * DAY + MOMENT, **given), add(notifications, due_at=NOW + DAY, **given)]
    assert run(functions) == NOTHING | {"inbox": 2}
    assert remaining(notifications) == stay


def test_mail_of_a_campaign_is_purged_90_days_after_its_end_and_its_counts_stay(
    functions: Functions, campaigns: Campaigns, members: Members, remaining: Any
) -> None:
    begun = {"queued_at": NOW - 200 * DAY}
    ended, younger, unended = (
        campaigns.new(status=status, ended_at=ended_at, **begun)
        for status, ended_at in (("sent", NOW - 90 * DAY), ("cancelled", NOW - 90 * DAY + MOMENT), ("sending", None))
    )
    long_ago = NOW - 200 * DAY
    for campaign_id in (ended, younger, unended):
        for number in range(3):
            outcome = {"sent_at": long_ago} if number else {"dropped_at": long_ago + DAY, "attempts": 1}
            campaigns.mail(campaign_id, created_at=long_ago, due_at=long_ago, **outcome)
    stay = [mail.id for campaign_id in (younger, unended) for mail in campaigns.mails(campaign_id)]
    path = f"/v1/admin/campaigns/{ended}"
    before = functions.call("get_campaign", by=members.staff(), path=path).json["counts"]
    assert (before["queued"], before["sent"], before["dropped"]) == (3, 2, 1)

    assert run(functions) == NOTHING | {"campaign_mail": 3}
    assert remaining(outbox) == stay
    assert campaigns.row(ended).final_counts == before
    assert functions.call("get_campaign", by=members.staff(), path=path).json["counts"] == before
    assert [campaigns.row(campaign_id).final_counts for campaign_id in (younger, unended)] == [None, None]
    assert run(functions) == NOTHING


def test_pending_subscriptions_are_purged_30_days_after_their_last_mail(
    functions: Functions, add: Any, remaining: Any
) -> None:
    month, long_ago = NOW - 30 * DAY, NOW - 400 * DAY

    def subscription(*, is_subscribed: bool = False, **times: datetime | None) -> int:
        given = {"email": f"{secrets.token_hex(6)}@example.com", "is_subscribed": is_subscribed}
        return int(add(newsletter_subscriptions, subscribed_at=long_ago, **given, **times))

    subscription(confirmation_sent_at=month)
    stay = [
        subscription(confirmation_sent_at=month + MOMENT),
        subscription(confirmation_sent_at=long_ago, confirmed_at=long_ago, is_subscribed=True),
        subscription(confirmation_sent_at=long_ago, unsubscribed_at=long_ago),
        subscription(confirmation_sent_at=long_ago, is_subscribed=True),
        subscription(),
    ]
    assert run(functions) == NOTHING | {"pending_subscriptions": 1}
    assert remaining(newsletter_subscriptions) == stay


def test_idempotency_records_are_purged_after_a_day(
    functions: Functions, members: Members, add: Any, remaining: Any
) -> None:
    given = {"user_id": members.new(seeds=False).id, "request_hash": b"r", "body_hash": b"b"}
    add(idempotency_records, key="old", created_at=NOW - DAY, **given)
    younger = add(idempotency_records, key="young", created_at=NOW - DAY + MOMENT, **given)
    assert run(functions) == NOTHING | {"idempotency_records": 1}
    assert remaining(idempotency_records) == [younger]


def test_members_idle_for_30_days_are_no_longer_active(
    functions: Functions, members: Members, database: sa.Engine
) -> None:
    month = NOW - 30 * DAY
    away = [members.new(seeds=False, is_active=True, last_active=at).id for at in (month, None)]
    here = members.new(seeds=False, is_active=True, last_active=month + MOMENT).id
    assert run(functions) == NOTHING | {"no_longer_active": 2}
    with database.connect() as connection:
        rows = sa.select(users.c.id).where(users.c.id.in_([*away, here]), users.c.is_active)
        assert connection.scalars(rows).all() == [here]


def test_a_run_purges_several_batches_and_skips_rows_that_stay(
    functions: Functions, add: Any, remaining: Any, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"kind": "log_in", "subject": "1", "address": "192.0.2.1"}
    old, young = NOW - 2 * DAY, NOW - MOMENT
    size = retention.BATCH
    rows = [given | {"attempted_at": at} for at in [old] * (size + 1) + [young] + [old] * size + [young]]
    with database.connect() as connection:
        connection.execute(sa.insert(attempts).values(rows))
    assert run(functions) == NOTHING | {"attempts": 2 * size + 1}
    assert len(remaining(attempts)) == 2
    assert run(functions) == NOTHING, "running again changes nothing"


def test_no_batch_scans_a_whole_table(servers: stack.Stack, database: sa.Engine) -> None:
    fill(
        database,
        "INSERT INTO sessions (user_id, token_hash, created_at, expires_at)"
        " SELECT 1, n::text::bytea, '2020-01-01', '2020-01-01' FROM generate_series(1, 50000) AS n",
    )
    period, statement = retention.KINDS["sessions"]
    parameters = {"after": 0, "expired_before": NOW - period}
    nodes = plan(servers.direct(os.environ["TEST_DATABASE"], "jobs"), statement, parameters)
    fill(database, "DELETE FROM sessions")
    assert not read_whole(nodes), nodes


def test_a_run_without_time_left_begins_no_batch_and_the_next_run_continues(
    functions: Functions, add: Any, remaining: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(attempts, kind="log_in", subject="1", address="192.0.2.1", attempted_at=NOW - 2 * DAY)
    with monkeypatch.context() as late:
        late.setattr(load("purge_expired"), "seconds_left", lambda: 10.0)
        assert run(functions) == {}
    assert len(remaining(attempts)) == 1
    assert run(functions) == NOTHING | {"attempts": 1}


def test_it_skips_locked_rows(functions: Functions, add: Any, remaining: Any, database: sa.Engine) -> None:
    given = {"kind": "log_in", "subject": "1", "address": "192.0.2.1", "attempted_at": NOW - 2 * DAY}
    locked, _ = add(attempts, **given), add(attempts, **given)
    with database.connect().execution_options(isolation_level="READ COMMITTED") as holder:
        holder.execute(sa.select(attempts).where(attempts.c.id == locked).with_for_update())
        assert run(functions) == NOTHING | {"attempts": 1}
        holder.rollback()
    assert remaining(attempts) == [locked]
    assert run(functions) == NOTHING | {"attempts": 1}


def test_an_error_escapes_so_that_lambda_retries_the_run(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "purge", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(functions)
