"""The sender, with a clock that its pauses move on, and SES as moto or a test plays it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.sesv2.models import sesv2_backends

from goatedvips.models.notifications import outbox, push_subscriptions, sender_state
from tests.support.functions import Functions, load
from tests.support.members import Member, Members
from tests.support.pushes import BUCKET, Pushes
from tests.support.tickets import Tickets

type Send = Callable[..., dict[str, int]]
type Sent = Callable[[], list[Any]]
type Message = tuple[str, str, str, str, str | None]

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
NONE = {"sent": 0, "dropped": 0, "deferred": 0, "retried": 0, "given_up": 0, "put_back": 0, "handed_over": 0}


@dataclass
class Run:
    """Lambda's context: a run ends after so many looks at the time that is left."""

    looks: int = 30
    function_name: str = "SendNotificationsFunction"
    aws_request_id: str = "run"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    slept: list[float] = field(default_factory=list)

    def get_remaining_time_in_millis(self) -> int:
        self.looks -= 1
        return 60_000 if self.looks >= 0 else 9_999


@pytest.fixture(autouse=True)
def empty_outbox(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.delete(outbox))
        connection.execute(sa.update(sender_state).values(second=None, taken=0, staff_mailed_at=None))


@pytest.fixture
def sent() -> Iterator[Sent]:
    """What SES, as moto plays it, was given."""
    from goatedvips.clients import ses  # noqa: PLC0415 - it reads the settings, which exist when the run has begun

    ses._client.cache_clear()
    with mock_aws():
        ses._client().create_email_identity(EmailIdentity="goatedvips.example")
        backends: BackendDict[Any] = sesv2_backends
        yield lambda: backends["123456789012"]["us-east-1"].core_backend.sent_messages
    ses._client.cache_clear()


@pytest.fixture
def send(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Send:
    """One run of the sender; it begins at an instant, and its pauses move the clock on."""

    def run(now: datetime = NOON, context: Run | None = None) -> dict[str, int]:
        context = context or Run()
        functions.set_clock("send_notifications", now)
        module = load("send_notifications")
        monkeypatch.setattr(module, "utc_now", lambda: now + timedelta(seconds=sum(context.slept)))
        monkeypatch.setattr(module, "sleep", context.slept.append)
        monkeypatch.setattr("goatedvips.mail_delivery.monotonic", lambda: sum(context.slept))
        done: dict[str, int] = module.handler({"scheduled_time": "2026-05-01T12:00:00Z"}, context)
        return done

    return run


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """The messages that SES was given."""
    given: list[Message] = []

    def take(*message: Any, **_: object) -> str:
        given.append(message)
        return f"message-{len(given)}"

    monkeypatch.setattr("goatedvips.clients.ses.send", take)
    return given


def put(database: sa.Engine, kind: str, **columns: object) -> int:
    with database.connect() as connection:
        row = {"kind": kind, "created_at": NOON, "due_at": NOON} | columns
        mail_id: int = connection.execute(sa.insert(outbox).values(row).returning(outbox.c.id)).scalar_one()
    return mail_id


def row(database: sa.Engine, mail_id: int) -> sa.Row[Any]:
    with database.connect() as connection:
        return connection.execute(sa.select(outbox).where(outbox.c.id == mail_id)).one()


def verification(database: sa.Engine, members: Members, **columns: object) -> tuple[Member, int]:
    member = members.new(email_verified=False, seeds=False)
    return member, put(database, "verification", user_id=member.id, address=member.email, priority=0, **columns)


def ticket(
    database: sa.Engine, member: Member | None, subject: str = "Where is my bonus?", **columns: object
) -> tuple[int, int]:
    """Open a ticket, and queue its mail to staff; return the ids of both."""
    ticket_id = Tickets(database).new(member.id if member else None, subject=subject, description="<b>Help</b>")
    return ticket_id, put(database, "ticket_opened", payload={"ticket_id": ticket_id}, **columns)


@pytest.fixture(scope="module")
def push_bucket() -> Iterator[Any]:
    """The bucket, as moto plays it."""
    from goatedvips.clients import s3  # noqa: PLC0415 - as above

    s3.client.cache_clear()
    with mock_aws():
        s3.client().create_bucket(Bucket=BUCKET)
        yield s3.client()
    s3.client.cache_clear()


@pytest.fixture
def pushes(
    push_bucket: Any, functions: Functions, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pushes]:
    """What is needed to push; the bucket is empty, and there is a key."""
    from goatedvips.clients import push_batches  # noqa: PLC0415 - as above
    from goatedvips.config import settings  # noqa: PLC0415 - as above

    names: list[str] = []
    put = push_batches.put_pushes

    def put_and_note(batch: str, pushes: list[Any]) -> None:
        put(batch, pushes)
        names.append(batch)

    with database.connect() as connection:
        connection.execute(sa.delete(push_subscriptions))
    monkeypatch.setattr(push_batches, "put_pushes", put_and_note)
    monkeypatch.setattr(settings, "feed_bucket", BUCKET)
    monkeypatch.setattr(settings, "push_public_key", "key")
    monkeypatch.setattr(settings, "inbox_url", "https://front.example/notifications")
    yield Pushes(database, functions, push_bucket, NOON, names)
    for entry in push_bucket.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        push_bucket.delete_object(Bucket=BUCKET, Key=entry["Key"])
