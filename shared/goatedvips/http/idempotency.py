"""The Idempotency-Key header: the first request with a key is carried out, its repetitions get the stored answer.

`goatedvips.domain.idempotency` stores the answers.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from goatedvips.clock import utc_now
from goatedvips.connections import Connection
from goatedvips.domain import idempotency
from goatedvips.domain.callers import Caller
from goatedvips.errors import IdempotencyInProgress, ValidationFailed
from goatedvips.http.bodies import JSON, octets
from goatedvips.http.responses import serialized
from goatedvips.postgres_errors import sqlstate, where

_LOCK_TIMEOUT = "55P03"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_QUOTED = re.compile(r'"(.*)"')


class Database(Protocol):
    """The edge to the database that a handler uses: `goatedvips.db` or `goatedvips.light_db`."""

    def enclosing_transaction(self) -> AbstractContextManager[Connection[Any]]:
        """Return a transaction that every `transaction()` in the block becomes part of."""


def answer_once(
    carry_out: Callable[[], Response[Any]],
    event: APIGatewayProxyEventV2,
    key: str,
    caller: Caller,
    *,
    staff: bool,
    database: Database | None,
) -> Response[Any]:
    """Carry a request out and store its answer in the same transaction, or return the answer stored for its key.

    Parameters
    ----------
    carry_out: calls the handler; every `transaction()` in it becomes part of the one opened here.
    event: the request.
    key: the value of its Idempotency-Key header; double quotes around it are not part of the key.
    caller: the signed-in member who sent it; keys of different members are independent.
    staff: whether the route is for staff.
    database: the edge that `carry_out` uses; None: `goatedvips.db`.

    Raises
    ------
    ValidationFailed: the key is not 1 to 255 printable ASCII characters.
    IdempotencyInProgress: another request with this key was still running after the lock time-out.
    """
    if quoted := _QUOTED.fullmatch(key):  # draft-ietf-httpapi-idempotency-key-header, section 2.1
        key = quoted[1]
    if not _KEY.fullmatch(key):
        raise ValidationFailed("Idempotency-Key: 1 to 255 printable ASCII characters")
    query = event.raw_query_string
    request = f"{event.http_method} {event.raw_path}{'?' if query else ''}{query}"
    body = octets(event.raw_event)
    with _enclosing_transaction(database) as connection:
        try:
            record = idempotency.claim(connection, caller, request, key, body, staff=staff, now=utc_now())
        except Exception as error:
            # Lock time-out while waiting for the record: the first request has it. Any other row is locked by others.
            if sqlstate(error) == _LOCK_TIMEOUT and idempotency.TABLE in where(error):
                raise IdempotencyInProgress(retry_after=1) from error
            raise
        if record.answer is not None:
            media_type = JSON if record.answer else None
            return Response(record.status or 200, media_type, record.answer, headers={"Idempotency-Replayed": "true"})
        response = carry_out()
        idempotency.store_answer(connection, record, response.status_code, serialized(response))
    return response


def _enclosing_transaction(database: Database | None) -> AbstractContextManager[Connection[Any]]:
    if database is not None:
        return database.enclosing_transaction()
    from goatedvips import db

    return db.enclosing_transaction()
