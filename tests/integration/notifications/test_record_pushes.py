"""What comes of what push services answered, for the push message and for its subscription."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from goatedvips import db, push_outbox
from goatedvips.clients.push_batches import MalformedBatch
from goatedvips.domain.notifications.sending import TRIES
from goatedvips.models.notifications import outbox, push_subscriptions
from tests.integration.notifications.conftest import NOON, Run, Send
from tests.integration.notifications.test_refusals import alarms
from tests.support.erasure import erase
from tests.support.functions import Functions
from tests.support.lives import STORED
from tests.support.members import Members
from tests.support.pushes import Pushes

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
BEFORE = NOON - DAY

WAITS = {"deferred": 1}
RETRIED = {"retried": 1}


@pytest.mark.parametrize(
    ("result", "done", "due_in", "error", "reason", "failures"),
    [
        *(({"status": status}, {"sent": 1}, None, None, None, 0) for status in (200, 201, 202, 204)),
        *(
            ({"status": status}, {"dropped": 1}, None, None, f"HTTP {status}", 4)
            for status in (301, 307, 400, 401, 403, 413)
        ),
        ({"status": None, "error": "unusable"}, {"dropped": 1}, None, None, "unusable", 4),
        ({"status": 429, "retry_after": 90}, WAITS, 90 * SECOND, None, None, 3),
        ({"status": 429, "retry_after": 0}, WAITS, 0 * SECOND, None, None, 3),
        ({"status": 429, "retry_after": 10**30}, WAITS, 7 * DAY, None, None, 3),
        ({"status": 429}, WAITS, MINUTE, None, None, 3),
        ({"status": 503, "retry_after": 90}, WAITS, 90 * SECOND, None, None, 3),
        ({"status": None, "error": "not_tried"}, WAITS, MINUTE, None, None, 3),
        ({"status": 503}, RETRIED, MINUTE, "HTTP 503", None, 3),
        ({"status": 500, "retry_after": 90}, RETRIED, MINUTE, "HTTP 500", None, 3),
        ({"status": 502, "error": "x"}, RETRIED, MINUTE, "HTTP 502", None, 3),
        ({"status": None, "error": "ConnectTimeout"}, RETRIED, MINUTE, "ConnectTimeout", None, 3),
        ({"status": None}, RETRIED, MINUTE, "no answer", None, 3),
    ],
    ids=str,
)
def test_each_answer(  # noqa: PLR0913, PLR0917 - the columns of the table
    pushes: Pushes,
    members: Members,
    capsys: pytest.CaptureFixture[str],
    result: dict[str, Any],
    done: dict[str, int],
    due_in: timedelta | None,
    error: str | None,
    reason: str | None,
    failures: int,
) -> None:
    member = members.new()
    subscription = pushes.subscribe(member, failures=3, last_success_at=BEFORE)
    outbox_id = pushes.put(member, subscription, last_error="before", due_at=BEFORE)
    batch = pushes.leased(outbox_id)
    assert pushes.record(batch, {"id": outbox_id} | result) == done
    row, after = pushes.row(outbox_id), pushes.subscription(subscription)
    is_sent = done == {"sent": 1}
    assert row.leased_until is None
    assert (row.sent_at, row.dropped_at, row.failed_at) == (
        NOON if is_sent else None,
        NOON if reason else None,
        None,
    )
    assert row.due_at == (BEFORE if due_in is None else NOON + due_in)
    assert row.attempts == (0 if done == WAITS else 1)
    assert row.dropped_reason == reason
    assert row.last_error == (None if is_sent else error or "before")
    assert after is not None
    assert (after.failures, after.last_success_at) == (failures, NOON if is_sent else BEFORE)
    assert alarms(capsys) == []


@pytest.mark.parametrize("status", [404, 410])
def test_a_subscription_that_is_gone_is_removed_and_what_waits_for_it_is_dropped(
    pushes: Pushes, members: Members, status: int
) -> None:
    member = members.new()
    gone, other = pushes.subscribe(member), pushes.subscribe(member)
    sent, waiting, later = (pushes.put(member, gone, due_at=NOON + days * DAY) for days in (0, 1, 2))
    leased = pushes.put(member, gone)
    elsewhere = pushes.put(member, other)
    batch, second = pushes.leased(sent, elsewhere), pushes.leased(leased)
    results = ({"id": sent, "status": status}, {"id": elsewhere, "status": 201})
    assert pushes.record(batch, *results) == {"sent": 1, "dropped": 4, "removed": 1}
    assert pushes.subscription(gone) is None
    assert pushes.subscription(other) is not None
    for outbox_id in (sent, waiting, later, leased):
        row = pushes.row(outbox_id)
        assert (row.dropped_reason, row.push_subscription_id) == ("subscription_ended", None)
    assert pushes.record(second, {"id": leased, "status": 201}) == {"ignored": 1}


def test_the_last_try_is_given_up_with_an_alarm(
    pushes: Pushes, members: Members, capsys: pytest.CaptureFixture[str]
) -> None:
    member = members.new()
    outbox_id = pushes.put(member, pushes.subscribe(member))
    now = NOON
    for attempt in range(1, TRIES + 1):
        batch = pushes.leased(outbox_id, now=now, attempts=attempt)
        result = {"id": outbox_id, "attempt": attempt, "status": 500}
        assert pushes.record(batch, result, now=now) == ({"given_up": 1} if attempt == TRIES else RETRIED)
        row = pushes.row(outbox_id)
        assert row.due_at == now + MINUTE * 2 ** (attempt - 1)
        assert row.failed_at == (now if attempt == TRIES else None)
        assert alarms(capsys) == (["outbox_given_up"] if attempt == TRIES else [])
        now = row.due_at


def test_ten_refusals_in_a_row_remove_the_subscription(pushes: Pushes, members: Members) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)

    def answer(*statuses: int) -> dict[str, int]:
        ids = [pushes.put(member, subscription) for _ in statuses]
        results = [{"id": outbox_id, "status": status} for outbox_id, status in zip(ids, statuses, strict=True)]
        return pushes.record(pushes.leased(*ids), *results)

    assert answer(*[403] * 9, 201, *[403] * 9) == {"sent": 1, "dropped": 18}
    assert answer(500, 429) == {"retried": 1, "deferred": 1}  # neither a refusal nor a success
    after = pushes.subscription(subscription)
    assert after is not None
    assert after.failures == 9
    waiting = pushes.put(member, subscription)
    # The two before wait as well.
    assert answer(403, 201) == {"sent": 1, "dropped": 1 + 3, "removed": 1}
    assert pushes.subscription(subscription) is None
    assert pushes.row(waiting).dropped_reason == "subscription_ended"


def test_results_are_recorded_once_and_only_for_their_lease(pushes: Pushes, members: Members) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    outbox_id = pushes.put(member, subscription)
    first = pushes.leased(outbox_id)
    refused = {"id": outbox_id, "status": 429, "retry_after": 60}
    assert pushes.record(first, refused, refused) == {"deferred": 1, "ignored": 1}
    assert pushes.record(first, refused) == {"ignored": 1}
    second = pushes.leased(outbox_id, now=NOON + MINUTE)  # attempt 1 again, because the first did not count
    assert pushes.record(first, refused, now=NOON + MINUTE) == {"ignored": 1}
    assert pushes.record(first, {"id": outbox_id, "status": 410}, now=NOON + MINUTE) == {"ignored": 1}
    assert pushes.record(second, {"id": outbox_id, "attempt": 2, "status": 410}) == {"ignored": 1}
    assert pushes.row(outbox_id).message_id == second
    assert pushes.record(second, {"id": outbox_id, "status": 201}) == {"sent": 1}
    for status in (201, 410, 500):
        assert pushes.record(second, {"id": outbox_id, "status": status}) == {"ignored": 1}
    row, after = pushes.row(outbox_id), pushes.subscription(subscription)
    assert (row.sent_at, row.attempts) == (NOON, 1)
    assert after is not None


def test_a_failure_that_is_reported_twice_is_one_failure(pushes: Pushes, members: Members) -> None:
    member = members.new()
    outbox_id = pushes.put(member, pushes.subscribe(member))
    batch = pushes.leased(outbox_id)
    assert pushes.record(batch, {"id": outbox_id, "status": 500}) == RETRIED
    before = pushes.row(outbox_id)
    for status in (500, 201):
        assert pushes.record(batch, {"id": outbox_id, "status": status}, now=NOON + DAY) == {"ignored": 1}
    assert pushes.row(outbox_id) == before


def test_a_result_that_comes_after_its_lease_counts_until_the_next_lease(pushes: Pushes, members: Members) -> None:
    member = members.new()
    outbox_id = pushes.put(member, pushes.subscribe(member))
    batch = pushes.leased(outbox_id)
    assert pushes.record(batch, {"id": outbox_id, "status": 201}, now=NOON + DAY) == {"sent": 1}


def test_other_rows_are_not_touched(pushes: Pushes, members: Members) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    waiting = pushes.put(member, subscription)
    batch = pushes.leased(pushes.put(member, subscription))
    before = pushes.row(waiting)
    unknown = {"id": 2**62, "status": 410}
    assert pushes.record(batch, unknown, {"id": waiting, "attempt": 1, "status": 410}) == {"ignored": 2}
    assert pushes.row(waiting) == before
    assert pushes.subscription(subscription) is not None


@pytest.mark.parametrize("status", [201, 403, 410, 500])
def test_a_subscription_that_has_moved_is_not_changed_by_what_was_sent_before(
    pushes: Pushes, members: Members, status: int
) -> None:
    first, second = members.new(), members.new()
    subscription = pushes.subscribe(first, failures=9)
    outbox_id = pushes.put(first, subscription)
    batch = pushes.leased(outbox_id)
    with pushes.database.connect() as connection:
        moved = sa.update(push_subscriptions).where(push_subscriptions.c.id == subscription)
        connection.execute(moved.values(user_id=second.id, failures=0))
    own = pushes.put(second, subscription)
    pushes.record(batch, {"id": outbox_id, "status": status})
    after = pushes.subscription(subscription)
    assert after is not None
    assert (after.user_id, after.failures, after.last_success_at) == (second.id, 0, None)
    assert pushes.row(own).dropped_at is None


@pytest.mark.parametrize(("status", "done"), [(201, {"sent": 1}), (410, {"dropped": 1}), (500, RETRIED)])
def test_a_subscription_may_be_removed_meanwhile(
    pushes: Pushes, members: Members, functions: Functions, status: int, done: dict[str, int]
) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    outbox_id = pushes.put(member, subscription)
    batch = pushes.leased(outbox_id)
    present = pushes.subscription(subscription)
    assert present is not None
    body = {"endpoint": present.endpoint}
    assert functions.call("remove_push_subscription", by=member, body=body, now=NOON).status == 204
    assert pushes.record(batch, {"id": outbox_id, "status": status}) == done


def test_what_is_tried_again_after_its_subscription_was_removed_is_dropped(
    pushes: Pushes, members: Members, send: Send
) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    outbox_id = pushes.put(member, subscription)
    pushes.record(pushes.leased(outbox_id), {"id": outbox_id, "status": 500})
    with pushes.database.connect() as connection:
        connection.execute(sa.delete(push_subscriptions).where(push_subscriptions.c.id == subscription))
    send(NOON + MINUTE, Run(looks=2))
    assert pushes.row(outbox_id).dropped_reason == "subscription_ended"


def test_a_member_may_be_erased_meanwhile(pushes: Pushes, members: Members, functions: Functions) -> None:
    member = members.new(password=STORED)
    outbox_id = pushes.put(member, pushes.subscribe(member))
    batch = pushes.leased(outbox_id)
    assert erase(functions, member).status == 204
    with pushes.database.connect() as connection:
        left = connection.scalars(sa.select(outbox.c.id).where(outbox.c.user_id == member.id)).all()
    assert left == []
    assert pushes.record(batch, {"id": outbox_id, "status": 201}) == {"ignored": 1}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"{", "/: "),
        (b'{"batch": "%s"}', "/results: "),
        (b'{"batch": "%s", "results": [{"id": 1, "attempt": 1, "status": "201"}]}', "/results/0/status: "),
        (b'{"batch": "00000000000000000000000000000000", "results": []}', "/batch: is of another object"),
    ],
)
def test_a_malformed_document_changes_nothing_and_fails(
    pushes: Pushes, members: Members, content: bytes, place: str
) -> None:
    """Lambda tries it three times, and puts the event into the queue of failed events."""
    member = members.new()
    outbox_id = pushes.put(member, pushes.subscribe(member))
    batch = pushes.leased(outbox_id)
    before = pushes.row(outbox_id)
    with pytest.raises(MalformedBatch, match=place):
        pushes.record_document(batch, content.replace(b"%s", batch.encode()))
    assert pushes.row(outbox_id) == before


@pytest.mark.parametrize("rows", [2, 40])
def test_a_batch_needs_as_many_statements_however_many_rows_it_has(pushes: Pushes, members: Members, rows: int) -> None:
    member = members.new()
    subscription = pushes.subscribe(member)
    ids = [pushes.put(member, subscription, "link_ended" if n % 2 else "smoke_signal") for n in range(rows)]
    statements: list[str] = []

    def note(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        statements.append(statement)

    sa.event.listen(db.engine(), "before_cursor_execute", note)
    try:
        assert push_outbox.hand_over(now=NOON) == Counter(handed_over=rows // 2, retried=rows // 2)
        assert len(statements) == 2  # the lease, and what failed
        results = [{"id": outbox_id, "status": 201 if n % 4 == 1 else 500} for n, outbox_id in enumerate(ids)]
        pushes.record(pushes.names[-1], *results)
        assert len(statements) <= 2 + 5
    finally:
        sa.event.remove(db.engine(), "before_cursor_execute", note)


def test_a_whole_way(pushes: Pushes, members: Members, send: Send) -> None:
    """From the outbox into S3, a wait, and S3 again."""
    member = members.new()
    outbox_id = pushes.put(member, pushes.subscribe(member))

    def leave(now: datetime) -> tuple[str, dict[str, Any]]:
        assert send(now, Run(looks=2))["handed_over"] == 1
        batch = pushes.batches()[-1]
        (push,) = batch["pushes"]
        return batch["batch"], {"id": push["id"], "attempt": push["attempt"]}

    batch, result = leave(NOON)
    assert pushes.record(batch, result | {"status": 429, "retry_after": 120}) == WAITS
    assert send(NOON + MINUTE, Run(looks=2))["handed_over"] == 0
    batch, result = leave(NOON + 2 * MINUTE)
    assert json.dumps(result) == json.dumps({"id": outbox_id, "attempt": 1})
    assert pushes.record(batch, result | {"status": 201}) == {"sent": 1}
