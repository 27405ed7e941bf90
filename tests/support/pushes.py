"""Push subscriptions and messages for tests, and the bucket through which they leave and their results return."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from goatedvips.models.notifications import outbox, push_subscriptions
from local.stand_ins.s3 import build_event
from tests.support.functions import Functions
from tests.support.members import Member
from tests.support.rows import insert_row

BUCKET = "pushes-of-tests"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
REPLY = {"ticket_id": 7, "message_id": 8, "subject": "Where is my $500?"}
LINK = {"uid": "u1", "reason": "Not $5"}


@dataclass(frozen=True)
class Pushes:
    """Makes rows, reads them, and plays what is outside the VPC."""

    database: sa.Engine
    functions: Functions
    s3: Any
    now: datetime
    names: list[str]
    """Of the batches that were put, in this order."""

    def subscribe(self, member: Member, **columns: Any) -> int:
        """Insert a push subscription, and return its id."""
        given: dict[str, Any] = {"p256dh": "key", "auth": AUTH, "created_at": self.now}
        given["endpoint"] = f"https://fcm.googleapis.com/fcm/send/{secrets.token_hex(8)}"
        return insert_row(self.database, push_subscriptions, user_id=member.id, **given | columns)

    def put(self, member: Member, subscription: int | None, kind: str = "link_ended", **columns: Any) -> int:
        """Insert a push message that is due, and return its id."""
        given: dict[str, Any] = {"priority": 1, "payload": LINK, "created_at": self.now, "due_at": self.now}
        row = {"kind": kind, "channel": "push", "user_id": member.id, "push_subscription_id": subscription}
        return insert_row(self.database, outbox, **row | given | columns)

    def row(self, outbox_id: int) -> sa.Row[Any]:
        """Return a row of the outbox."""
        with self.database.connect() as connection:
            return connection.execute(sa.select(outbox).where(outbox.c.id == outbox_id)).one()

    def subscription(self, subscription_id: int) -> sa.Row[Any] | None:
        """Return a push subscription, if it is there."""
        found = sa.select(push_subscriptions).where(push_subscriptions.c.id == subscription_id)
        with self.database.connect() as connection:
            return connection.execute(found).one_or_none()

    def batches(self) -> list[dict[str, Any]]:
        """Return the batches in the bucket, oldest first."""
        keys = [f"push/out/{name}.json" for name in self.names]
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="push/out/").get("Contents", [])
        assert {entry["Key"] for entry in listed} == set(keys)
        return [json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]

    def sent(self) -> dict[int, dict[str, Any]]:
        """Return the push messages of all batches by their ids."""
        return {push["id"]: push for batch in self.batches() for push in batch["pushes"]}

    def leased(self, *outbox_ids: int, now: datetime | None = None, attempts: int = 1) -> str:
        """Let rows be leased as one batch, and return its name."""
        batch, now = secrets.token_hex(16), now or self.now
        leased = {"leased_until": now + timedelta(minutes=30), "attempts": attempts, "message_id": batch}
        with self.database.connect() as connection:
            connection.execute(sa.update(outbox).where(outbox.c.id.in_(outbox_ids)).values(leased))
        return batch

    def record(self, batch: str, *results: dict[str, Any], now: datetime | None = None) -> dict[str, int]:
        """Put results into the bucket and call record_pushes with the event; return what it did, without zeros."""
        empty = {"attempt": 1, "retry_after": None, "error": None}
        document = {"batch": batch, "results": [empty | result for result in results]}
        return self.record_document(batch, json.dumps(document).encode(), now=now)

    def record_document(self, batch: str, content: bytes, now: datetime | None = None) -> dict[str, int]:
        """Put an object of results as it is; see `record`."""
        key, now = f"push/in/{batch}.json", now or self.now
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        event = build_event(BUCKET, key, len(content), "etag", now)
        done = self.functions.invoke("record_pushes", event, now=now)
        return {name: count for name, count in done.items() if count}
