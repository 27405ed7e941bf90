"""Answers kept by Idempotency-Key: written in the transaction of the effect, so a crash keeps both or neither."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert

from goatedvips.domain import access
from goatedvips.domain.access import NOW, Caller
from goatedvips.errors import IdempotencyKeyReused
from goatedvips.models.operations import idempotency_records as records

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Record:
    """The record of a key: with the answer where the request was answered before."""

    id: int
    status: int | None
    answer: str | None


_caller = access.member()
_new = insert(records).from_select(
    ["user_id", "request", "key", "body_hash", "created_at"],
    select(_caller.c.id, bindparam("request"), bindparam("key"), bindparam("body_hash"), NOW),
)
_expired = records.c.created_at <= bindparam("kept_since", type_=records.c.created_at.type)
# The update changes nothing but an expired record: its lock is what the second of two requests waits for.
_claim = _new.on_conflict_do_update(
    index_elements=["user_id", "request", "key"],
    set_={
        "body_hash": case((_expired, _new.excluded.body_hash), else_=records.c.body_hash),
        "status": case((_expired, None), else_=records.c.status),
        "answer": case((_expired, None), else_=records.c.answer),
        "created_at": case((_expired, _new.excluded.created_at), else_=records.c.created_at),
    },
).returning(records.c.id, records.c.body_hash, records.c.status, records.c.answer)
_keep = (
    update(records)
    .where(records.c.id == bindparam("record_id"))
    .values(status=bindparam("answer_status"), answer=bindparam("answer_body"))
    .returning(records.c.id)
)


def claim(connection: Connection, caller: Caller, request: str, key: str, body: bytes, *, now: datetime) -> Record:
    """Take the key for this request, or find the answer that it already had; a second request waits for the first.

    Parameters
    ----------
    request: method, path and query, as they were called.
    body: the request's body as it came; its SHA-256 is kept.

    Raises
    ------
    IdempotencyKeyReused: the key came with another body within the last 24 hours.
    Unauthenticated, AccountSuspended: the caller has no live session.
    """
    body_hash = hashlib.sha256(body).digest()
    parameters = {"request": request, "key": key, "body_hash": body_hash, "kept_since": now - KEPT}
    row = connection.execute(_claim, parameters | caller.parameters(now)).one_or_none()
    if row is None:
        access.explain(connection, caller, now=now)
        raise AssertionError("a record is claimed for every live caller")
    if row.body_hash != body_hash:
        raise IdempotencyKeyReused
    return Record(row.id, row.status, row.answer)


def keep(connection: Connection, record: Record, status: int, answer: str) -> None:
    """Write the answer into the record; the transaction's last statement, which COMMIT travels with."""
    connection.execute(
        _keep,
        {"record_id": record.id, "answer_status": status, "answer_body": answer},
        execution_options={"decides": True, "enclosed": False},
    ).one()
