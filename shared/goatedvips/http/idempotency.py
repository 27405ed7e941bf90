"""The Idempotency-Key header: the first request with a key is carried out, its repetitions get the stored answer.

`goatedvips.domain.idempotency` stores the answers.
"""

import re
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from sqlalchemy.exc import DBAPIError

from goatedvips.clock import utc_now
from goatedvips.db import enclosing_transaction
from goatedvips.domain import idempotency
from goatedvips.domain.access import Caller
from goatedvips.errors import IdempotencyInProgress, ValidationFailed
from goatedvips.http.bodies import JSON, octets
from goatedvips.http.responses import serialized
from goatedvips.models.operations import idempotency_records
from goatedvips.postgres_errors import sqlstate, where

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_QUOTED = re.compile(r'"(.*)"')


def answer_once(
    carry_out: Callable[[], Response[Any]], event: APIGatewayProxyEventV2, key: str, caller: Caller, *, staff: bool
) -> Response[Any]:
    """Carry a request out and store its answer in the same transaction, or return the answer stored for its key.

    Parameters
    ----------
    carry_out: calls the handler; every `transaction()` in it becomes part of the one opened here.
    event: the request.
    key: the value of its Idempotency-Key header; double quotes around it are not part of the key.
    caller: the signed-in member who sent it; keys of different members are independent.
    staff: whether the route is for staff.

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
    with enclosing_transaction() as connection:
        try:
            record = idempotency.claim(connection, caller, request, key, body, staff=staff, now=utc_now())
        except DBAPIError as error:
            # Lock time-out while waiting for the record: the first request has it. Any other row is locked by others.
            if sqlstate(error.orig) == "55P03" and idempotency_records.name in where(error.orig):
                raise IdempotencyInProgress(retry_after=1) from error
            raise
        if record.answer is not None:
            media_type = JSON if record.answer else None
            return Response(record.status or 200, media_type, record.answer, headers={"Idempotency-Replayed": "true"})
        response = carry_out()
        idempotency.store_answer(connection, record, response.status_code, serialized(response))
    return response
