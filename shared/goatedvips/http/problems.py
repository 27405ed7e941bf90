"""Problem documents (RFC 9457): from any exception to the response that tells the caller."""

import json
from collections.abc import Iterable
from datetime import datetime

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from goatedvips.errors import InternalError, NotFound, Problem, ValidationFailed

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100  # validation errors listed in one problem document
# By pydantic's error types, whose own messages speak of Python's types or of parsing.
_DETAILS = {
    "datetime_from_date_parsing": "must be an instant that exists, without leap seconds",
    "datetime_parsing": "must be an instant that exists, without leap seconds",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must not be empty",
}


def problem_of(error: Exception) -> Problem:
    """Return the problem that an exception means to the caller: `internal_error` for all unexpected ones."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _validation_problem(error)
    return InternalError(reason=type(error).__name__)


def problem_response(problem: Problem, request_id: str) -> Response[str]:
    """Return the problem document as a response."""
    document = {
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        **problem.members,
    }
    if problem.status == 422:
        document.setdefault("errors", [{"pointer": "", "detail": problem.detail}])
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return Response(problem.status, MEDIA_TYPE, json.dumps(document, default=_rfc3339), headers=headers)


def problem_by_code() -> dict[str, type[Problem]]:
    """Return every problem by its code."""
    return {kind.code: kind for kind in Problem.__subclasses__()}


def explanation(kind: type[Problem]) -> str:
    """Return what a problem means and what helps, as one paragraph with code in backticks."""
    return " ".join((kind.__doc__ or "").split())


def pointer(steps: Iterable[object]) -> str:
    """Return the JSON pointer (RFC 6901) of a path of names and indexes."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _validation_problem(error: RequestValidationError) -> Problem:
    """Return 422 with a JSON pointer for each invalid value; 404 if a path parameter cannot be an id."""
    errors = []
    for fault in error.errors():
        source, *path = fault["loc"]
        if source == "path":
            return NotFound()
        if source == "response":  # the handler's own answer does not fit its model
            return InternalError(reason=f"{fault['loc']}: {fault['msg']}")
        where = "" if source == "header" else pointer(path)
        is_no_body = fault["type"] == "missing" and not path  # the body is `null`
        kind = "dict_type" if is_no_body else fault["type"]
        detail = _DETAILS.get(kind) or fault["msg"].removeprefix("Value error, ")
        errors.append({"pointer": where, "detail": detail})
    return ValidationFailed(errors=errors[:MAX_ERRORS])


def _rfc3339(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
