"""`make outbox-retry` queues mail that was given up once more."""

import os
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.integration.notifications.conftest import NOON, put, row
from tests.support import stack
from tools import outbox_retry


def test_it_queues_what_was_given_up_and_nothing_else(
    servers: stack.Stack, database: sa.Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.direct(os.environ["TEST_DATABASE"]))
    given_up = put(database, "verification", failed_at=NOON, attempts=8, last_error="Refused ConflictException")
    others = [
        row(database, put(database, "verification", **columns))
        for columns in ({"sent_at": NOON}, {"dropped_at": NOON, "dropped_reason": "MessageRejected"}, {"attempts": 3})
    ]
    before = datetime.now(UTC)
    outbox_retry.main()
    assert capsys.readouterr().out == "1 mail is queued again.\n"
    after = row(database, given_up)
    assert (after.failed_at, after.attempts, after.last_error) == (None, 0, None)
    assert after.due_at >= before
    assert [row(database, other.id) for other in others] == others
    outbox_retry.main()
    assert capsys.readouterr().out == "0 mails are queued again.\n"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://postgres@127.0.0.1:1/nowhere", "cannot be reached"),
        ("mysql://localhost/x", "DATABASE_URL must be"),
    ],
)
def test_it_ends_with_a_sentence_if_there_is_no_such_database(
    monkeypatch: pytest.MonkeyPatch, url: str, sentence: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit, match=sentence):
        outbox_retry.main()


def test_it_says_that_a_database_needs_an_upgrade(servers: stack.Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.direct("postgres"))
    with pytest.raises(SystemExit, match="make db-upgrade"):
        outbox_retry.main()
