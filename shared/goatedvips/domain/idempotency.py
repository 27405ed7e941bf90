"""Stored answers by Idempotency-Key: written in the transaction of the effect, so a crash keeps both or neither."""

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

RECORD_LIFETIME = timedelta(hours=24)
"""How long an answer is replayed."""


@dataclass(frozen=True, slots=True)
class Record:
    """The record of a key, with the stored answer if the request was answered before."""

    id: int
    status: int | None
    answer: str | None


_REQUEST_HASH = bindparam("given_request_hash", type_=records.c.request_hash.type)


def _claim(caller: CTE) -> ReturningInsert[int, bytes, int | None, str | None]:
    """Return the upsert that claims a key. A concurrent request with the same key waits for its lock on the record."""
    new = insert(records).from_select(
        ["user_id", "request_hash", "key", "body_hash", "created_at"],
        select(caller.c.id, _REQUEST_HASH, bindparam("given_key"), bindparam("given_body_hash"), NOW),
    )
    expired = records.c.created_at <= bindparam("kept_since", type_=records.c.created_at.type)
    return new.on_conflict_do_update(
        index_elements=["user_id", "request_hash", "key"],
        set_={  # a record that has not expired does not change
            "body_hash": case((expired, new.excluded.body_hash), else_=records.c.body_hash),
            "status": case((expired, None), else_=records.c.status),
            "answer": case((expired, None), else_=records.c.answer),
            "created_at": case((expired, new.excluded.created_at), else_=records.c.created_at),
        },
    ).returning(records.c.id, records.c.body_hash, records.c.status, records.c.answer)


_claim_for_member = _claim(access.member())
_claim_for_staff = _claim(access.staff())
_store_answer = (
    update(records)
    .where(records.c.id == bindparam("record_id"))
    .values(status=bindparam("answer_status"), answer=bindparam("answer_body"))
    .returning(records.c.id)
)


def claim(
    connection: Connection, caller: Caller, request: str, key: str, body: bytes, *, staff: bool, now: datetime
) -> Record:
    """Claim the key for this request, or return its stored answer. A concurrent request with the same key waits.

    Parameters
    ----------
    request: the method, path and query of the request.
    body: the body of the request, unparsed. Only the SHA-256 of `request` and `body` is stored.
    staff: whether the route is for staff: a replay then needs a staff member too.

    Raises
    ------
    IdempotencyKeyReused: the key was used with another body within `RECORD_LIFETIME`.
    Unauthenticated, AccountSuspended, Forbidden
    """
    body_hash = hashlib.sha256(body).digest()
    parameters = caller.parameters(now) | {
        "given_request_hash": hashlib.sha256(request.encode()).digest(),
        "given_key": key,
        "given_body_hash": body_hash,
        "kept_since": now - RECORD_LIFETIME,
    }
    row = access.one(
        connection, _claim_for_staff if staff else _claim_for_member, caller, parameters, now=now, staff=staff
    )
    if row.body_hash != body_hash:
        raise IdempotencyKeyReused
    return Record(row.id, row.status, row.answer)


def store_answer(connection: Connection, record: Record, status: int, answer: str) -> None:
    """Store the answer in the record. It must be the last statement: COMMIT is sent in its round trip."""
    connection.execute(
        _store_answer,
        {"record_id": record.id, "answer_status": status, "answer_body": answer},
        execution_options={"commit_in_flight": True, "enclosed": False},
    ).one()
