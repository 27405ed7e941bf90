"""Stored answers by Idempotency-Key: written in the transaction of the effect, so a crash keeps both or neither."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from goatedvips.connections import Connection
from goatedvips.domain import callers, compiled_statements
from goatedvips.domain.callers import Caller
from goatedvips.errors import IdempotencyKeyReused

TABLE = "idempotency_records"
RECORD_LIFETIME = timedelta(hours=24)
"""How long an answer is replayed."""


@dataclass(frozen=True, slots=True)
class Record:
    """The record of a key, with the stored answer if the request was answered before."""

    id: int
    status: int | None
    answer: str | None


def claim(
    connection: Connection[Any], caller: Caller, request: str, key: str, body: bytes, *, staff: bool, now: datetime
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
    statement = compiled_statements.CLAIM_FOR_STAFF if staff else compiled_statements.CLAIM_FOR_MEMBER
    row = callers.one(connection, statement, caller, parameters, now=now, staff=staff)
    if row.body_hash != body_hash:
        raise IdempotencyKeyReused
    return Record(row.id, row.status, row.answer)


def store_answer(connection: Connection[Any], record: Record, status: int, answer: str) -> None:
    """Store the answer in the record. It must be the last statement: COMMIT is sent in its round trip."""
    values = {"record_id": record.id, "answer_status": status, "answer_body": answer}
    connection.execute(compiled_statements.STORE_ANSWER, values).one()
