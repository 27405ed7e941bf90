"""Answers kept by Idempotency-Key: written in the transaction of the effect, so a crash keeps both or neither."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CTE, Connection, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

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


_REQUEST_HASH = bindparam("given_request_hash", type_=records.c.request_hash.type)


def _claim(caller: CTE) -> ReturningInsert[int, bytes, int | None, str | None]:
    """The statement that takes a key; its lock on the record is what the second of two requests waits for."""
    new = insert(records).from_select(
        ["user_id", "request_hash", "key", "body_hash", "created_at"],
        select(caller.c.id, _REQUEST_HASH, bindparam("given_key"), bindparam("given_body_hash"), NOW),
    )
    expired = records.c.created_at <= bindparam("kept_since", type_=records.c.created_at.type)
    return new.on_conflict_do_update(
        index_elements=["user_id", "request_hash", "key"],
        set_={  # of a record that has not expired nothing changes
            "body_hash": case((expired, new.excluded.body_hash), else_=records.c.body_hash),
            "status": case((expired, None), else_=records.c.status),
            "answer": case((expired, None), else_=records.c.answer),
            "created_at": case((expired, new.excluded.created_at), else_=records.c.created_at),
        },
    ).returning(records.c.id, records.c.body_hash, records.c.status, records.c.answer)


_claim_of_member = _claim(access.member())
_claim_of_staff = _claim(access.staff())
_keep = (
    update(records)
    .where(records.c.id == bindparam("record_id"))
    .values(status=bindparam("answer_status"), answer=bindparam("answer_body"))
    .returning(records.c.id)
)


def claim(
    connection: Connection, caller: Caller, request: str, key: str, body: bytes, *, staff: bool, now: datetime
) -> Record:
    """Take the key for this request, or find the answer that it already had; a second request waits for the first.

    Parameters
    ----------
    request: method, path and query, as they were called.
    body: the request's body as it came; of both, the SHA-256 is kept.
    staff: whether the request takes one of the staff, which a replay then takes too.

    Raises
    ------
    IdempotencyKeyReused: the key came with another body within the last 24 hours.
    Unauthenticated, AccountSuspended, Forbidden
    """
    body_hash = hashlib.sha256(body).digest()
    parameters = caller.parameters(now) | {
        "given_request_hash": hashlib.sha256(request.encode()).digest(),
        "given_key": key,
        "given_body_hash": body_hash,
        "kept_since": now - KEPT,
    }
    row = access.one(
        connection, _claim_of_staff if staff else _claim_of_member, caller, parameters, now=now, staff=staff
    )
    if row.body_hash != body_hash:
        raise IdempotencyKeyReused
    return Record(row.id, row.status, row.answer)


def keep(connection: Connection, record: Record, status: int, answer: str) -> None:
    """Write the answer into the record; the transaction's last statement, which COMMIT travels with."""
    connection.execute(
        _keep,
        {"record_id": record.id, "answer_status": status, "answer_body": answer},
        execution_options={"commit_in_flight": True, "enclosed": False},
    ).one()
