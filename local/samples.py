"""The sample events in events/, as `make invoke` and `make sam-invoke` send them: with a caller who exists.

A sample of a member's route gets a new member as its caller at each use, because some actions can be done only once: a
spin a day, one claim of a code. If the sample is about a ticket, the member has opened one. The staff's samples use up
nothing, and keep the caller of the file.
"""

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert

from goatedvips.clients import push_batches, raw_feed
from goatedvips.domain.accounts import passwords
from goatedvips.domain.callers import Caller
from goatedvips.domain.tickets import tickets
from goatedvips.domain.wagers.feed import FeedPage
from goatedvips.domain.wheel import seeds
from goatedvips.models.accounts import sessions, users
from goatedvips.validators.tables import insert_schema
from local.demo import CASINO_ACCOUNTS, PASSWORD
from local.stand_ins import affiliate, s3
from local.stand_ins.push import browsers
from local.template import FEED_BUCKET, ROOT
from migrations.upgrade import engine

SESSION_LIFETIME = timedelta(hours=1)


def prepare_event(name: str, url: str, stand_ins: str, now: datetime | None = None) -> dict[str, Any]:
    """Return a function's sample event, ready to be sent.

    Parameters
    ----------
    name: the function's file, as in `spin_wheel`.
    url: of the local database, to be entered as its owner.
    stand_ins: the base URL of the stand-in for Amazon S3. An event of S3 gets the key of a new object, one of
        CloudFormation the URL of an object that takes the answer.
    now: the present instant by the clock that the function reads; without it the real one.

    """
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    caller = event.get("requestContext", {}).get("authorizer", {}).get("lambda")
    if caller and not caller["is_staff"]:
        with engine(url).begin() as connection:
            caller.update(_new_member(connection, now or datetime.now(UTC)))
            if event["routeKey"].partition(" ")[2].startswith("/v1/tickets/{id}"):
                _name_ticket(event, _open_ticket(connection, caller, now or datetime.now(UTC)))
    if event.get("source") == "aws.s3":
        put = OBJECTS[name]
        event["detail"]["object"]["key"] = put(stand_ins, now or datetime.now(UTC))
    if "ResponseURL" in event:
        event["ResponseURL"] = f"{stand_ins}{s3.PREFIX}/{FEED_BUCKET}/{secrets.token_hex(8)}"
    return event


def read_event(file: Path) -> object:
    """Return the event in a file of the developer's; end the program with a sentence where it cannot be read."""
    try:
        event: object = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(f"{file} is no JSON file that can be read: {error}") from None
    return event


def _put_feed(stand_ins: str, now: datetime) -> str:
    """Put a raw feed of the present instant into the bucket, and return its key."""
    status, body = affiliate.AffiliateApi(affiliate.open_casino(CASINO_ACCOUNTS)).answer(now, 1)
    key = raw_feed.feed_key(now)
    content = raw_feed.encode_feed([FeedPage(1, status, body)])
    s3.put(stand_ins, FEED_BUCKET, key, content)
    return key


def _put_pushes(stand_ins: str, _: datetime) -> str:
    """Put a batch with a push message to a browser of the stand-in for push services, and return its key."""
    subscription = browsers.subscribe()
    message = {"web_push": 8030, "notification": {"title": "A sample", "navigate": "https://goatedvips.example/"}}
    push = {"id": 1, "attempt": 1, "endpoint": subscription["endpoint"], "message": message} | subscription["keys"]
    batch = secrets.token_hex(16)
    pushes = [push | {"ttl": 3600, "topic": "sample", "urgency": "normal"}]
    key = f"{push_batches.OUT}{batch}.json"
    s3.put(stand_ins, FEED_BUCKET, key, json.dumps({"batch": batch, "pushes": pushes}).encode())
    return key


def _put_results(stand_ins: str, _: datetime) -> str:
    """Put results for a push message that nobody waits for, and return their key."""
    batch = secrets.token_hex(16)
    key = f"{push_batches.IN}{batch}.json"
    results = [{"id": 2**62, "attempt": 1, "status": 201, "retry_after": None, "error": None}]
    s3.put(stand_ins, FEED_BUCKET, key, json.dumps({"batch": batch, "results": results}).encode())
    return key


OBJECTS = {"ingest_wagers": _put_feed, "record_pushes": _put_results, "send_pushes": _put_pushes}
"""By a function that S3's events start: what puts an object that it is for into the bucket, and returns the key."""


def _new_member(connection: Connection, now: datetime) -> dict[str, int]:
    """Make a verified member with a session, and return their ids; their password is the one in the samples."""
    name = f"sample-{secrets.token_hex(4)}"
    member = {
        "username": name,
        "username_key": name,
        "email": f"{name}@example.com",
        "email_key": f"{name}@example.com",
        "email_verified": True,
        "password": passwords.hash_password(PASSWORD, legacy=False),
        "created_at": now,
    }
    user_id = _insert(connection, users, member)
    session = {
        "user_id": user_id,
        "token_hash": secrets.token_bytes(32),
        "created_at": now,
        "expires_at": now + SESSION_LIFETIME,
    }
    session_id = _insert(connection, sessions, session)
    seeds.ensure(connection, user_id, now=now)
    return {"user_id": user_id, "session_id": session_id}


def _open_ticket(connection: Connection, caller: dict[str, int], now: datetime) -> int:
    """Open a ticket of a member, and return its id."""
    member = Caller(caller["user_id"], caller["session_id"], request_id="sample")
    words = {"subject": "My reward", "description": "When do I get it?", "priority": "low"}
    return tickets.open_ticket(connection, member, **words, now=now).id


def _name_ticket(event: dict[str, Any], ticket_id: int) -> None:
    """Let the path of an event name a ticket."""
    path = event["rawPath"].replace("/tickets/1", f"/tickets/{ticket_id}")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["pathParameters"]["id"] = str(ticket_id)


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> int:
    """Insert a row that the table's schema accepts, and return its id."""
    values = insert_schema(table).model_validate(row).values()
    return int(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())
