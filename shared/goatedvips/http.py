"""The HTTP edge: one resolver for all handlers, the caller, problems (RFC 9457) and idempotency keys.

A handler's file has one `HttpApi`, one route and `handler = lambda_handler(api)`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from ipaddress import IPv6Network, ip_address
from time import perf_counter
from typing import Any, Literal, override

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from goatedvips import bodies
from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import ConnectionLost, enclosing_transaction, transaction
from goatedvips.domain import idempotency
from goatedvips.domain.access import Caller
from goatedvips.errors import (
    Forbidden,
    IdempotencyInProgress,
    NotFound,
    Problem,
    Unauthenticated,
    ValidationFailed,
)
from goatedvips.postgres import sqlstate

logger = Logger(service="goatedvips")
metrics = Metrics(namespace="GoatedVIPs", service="goatedvips")

type Event = dict[str, Any]
type Answer = dict[str, Any]
type Who = Literal["anyone", "member", "staff"]

PATIENCE = 3.0  # seconds; a database that was silent for longer is not waited for again
MOST_FAULTS = 100  # told of one request
_PROBLEM = "application/problem+json"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_QUOTED = re.compile(r'"[^"]*"')


class HttpApi(APIGatewayHttpResolver):
    """The resolver of one handler.

    Parameters
    ----------
    who: whom the route is for; the caller is checked before anything else of the request is looked at.
    keyed: whether a signed-in POST is answered once by its Idempotency-Key. Not where the body has a password: the
        attempt must be committed before it is compared, and a fast hash of the body would give it away.
    """

    def __init__(self, who: Who, *, keyed: bool = True) -> None:
        super().__init__(enable_validation=True, json_body_deserializer=bodies.parse)
        self.who = who
        self.keyed = keyed and who != "anyone"
        self.use([_refuse_unwanted, _read_again, _answer_once])
        self.exception_handler([Exception])(self._refuse)

    @property
    def caller(self) -> Caller:
        """Who sent the present request."""
        return self._caller

    def _identified(self) -> Caller:
        """The caller, by the authorizer's word, or by a look of our own where it could not look.

        Raises
        ------
        Unauthenticated: nobody is known by the token.
        Forbidden: the route is for staff, and the caller is not.
        DatabaseUnavailable, SchemaOutdated
        """
        known = self._event["requestContext"].get("authorizer", {}).get("lambda") or {}
        if "undecided" in known:
            known = _looked_up(self._event["headers"].get("authorization", ""))
        if "session_id" not in known:
            raise Unauthenticated
        if self.who == "staff" and known["is_staff"] is not True:
            raise Forbidden
        return Caller(
            user_id=int(known["user_id"]),
            session_id=int(known["session_id"]),
            request_id=self.request_id,
            verified_email_required=settings.verified_email_required,
        )

    @property
    def request_id(self) -> str:
        """The gateway's id of the present request: in every log line and answer."""
        return str(self._event["requestContext"]["requestId"])

    @property
    def address(self) -> str:
        """Whom an attempt without an account is counted for: an IPv4 address, or the /64 network of an IPv6 one."""
        address = ip_address(self._event["requestContext"]["http"]["sourceIp"])
        return str(IPv6Network((address, 64), strict=False)) if address.version == 6 else str(address)

    @override
    def resolve(self, event: Event, context: Any) -> Answer:  # type: ignore[override]  # Lambda's events are dicts
        """Answer one payload 2.0 event, whatever is wrong with it."""
        self._event = event
        http = event["requestContext"]["http"]
        metrics.add_dimension("function", context.function_name)
        started = perf_counter()
        with logger.append_context_keys(request_id=self.request_id, function=context.function_name):
            self._said: dict[str, object] = {}
            try:
                if self.who != "anyone":
                    self._caller = self._identified()
                    self._said["user_id"] = self.caller.user_id
                if http["method"] != "GET":  # which has none that means anything
                    bodies.prepare(event)
                answer = super().resolve(event, context)
            except Exception as error:  # noqa: BLE001 - the last resort: an answer, never a stack trace
                answer = _as_answer(self._refuse(error))
            milliseconds = round((perf_counter() - started) * 1000, 1)
            status = int(answer["statusCode"])
            answer["headers"]["X-Request-Id"] = self.request_id
            line = {"method": http["method"], "path": http["path"], "status": status, "milliseconds": milliseconds}
            logger.info("answered", extra=line | self._said)
        metrics.add_metric("Duration", MetricUnit.Milliseconds, milliseconds)
        metrics.add_metric(f"Answered{status // 100}xx", MetricUnit.Count, 1)
        metrics.flush_metrics()
        return answer

    def _refuse(self, error: Exception) -> Response[str]:
        """The problem document of whatever went wrong."""
        problem = _as_problem(error)
        self._said |= {"code": problem.code, "reason": problem.reason}
        if problem.status == 500:
            logger.error("failed", exc_info=error)
        document = {
            "type": f"/problems/{problem.code}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "code": problem.code,
            "request_id": self.request_id,
            **problem.members,
        }
        if problem.status == 422:
            document.setdefault("errors", [{"pointer": "", "detail": problem.detail}])
        headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
        return Response(problem.status, _PROBLEM, json.dumps(document, default=_rfc3339), headers=headers)


def lambda_handler(api: HttpApi) -> Callable[[Event, Any], Answer]:
    """What Lambda calls."""
    return api.resolve


def created_once[M: BaseModel](body: M, *, created: bool) -> Response[M]:
    """201 for what was created now, 200 for the same asked for again."""
    return Response(201 if created else 200, bodies.JSON, body)


def download(packed: bytes, name: str) -> Response[str]:
    """JSON that is gzip already, to be kept as a file by this name and in no cache."""
    headers = {
        "Content-Encoding": "gzip",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    response = Response(200, bodies.JSON, base64.b64encode(packed).decode(), headers=headers)
    response.base64_encoded = True  # API Gateway sends the octets
    return response


def revalidated(api: HttpApi, proceed: Callable[[HttpApi], Response[Any]]) -> Response[Any]:
    """A route's middleware: an answer with its ETag, or 304 to who says that they have it (RFC 9110, section 13.1.2).

    The tag is a hash of what is sent. A version of the row behind it would miss what else the answer is made of, such
    as a member's name that was changed or hidden.
    """
    response = proceed(api)
    tag = f'"{hashlib.sha256(_written(response).encode()).hexdigest()}"'
    response.headers |= {"ETag": tag, "Cache-Control": "no-cache"}  # copies may be kept, and are asked about each time
    known = api.current_event.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in _QUOTED.findall(known):  # W/ before a tag makes no difference here
        return Response(304, headers={name: response.headers[name] for name in ("ETag", "Cache-Control")})
    return response


def _looked_up(authorization: str) -> dict[str, Any]:
    from goatedvips.domain.accounts import sessions  # seldom needed

    token = sessions.token_in(authorization)
    if token is None:
        return {}
    with transaction() as connection:
        known = sessions.known(connection, token, now=utc_now())
    return asdict(known) if known else {}


def _refuse_unwanted(api: HttpApi, proceed: Callable[[HttpApi], Response[Any]]) -> Response[Any]:
    """Hold a request that changes something to the fields that its route has, be they none."""
    event = api.current_event
    if event.http_method != "GET" and not api.context["_route"].dependant.body_params:
        fields = event.json_body
        if not isinstance(fields, dict):
            raise ValidationFailed("The request body must be an object")
        if fields:
            unwanted = [{"pointer": _pointer([name]), "detail": "Extra inputs are not permitted"} for name in fields]
            raise ValidationFailed(errors=unwanted)
    return proceed(api)


def _key(api: HttpApi) -> str | None:
    """The key by which the request is answered once: of a signed-in POST that has one, where one means anything."""
    event = api.current_event
    return event.headers.get("idempotency-key") if api.keyed and event.http_method == "POST" else None


def _read_again(api: HttpApi, proceed: Callable[[HttpApi], Response[Any]]) -> Response[Any]:
    """Try once more what may safely be done twice, when the connection broke on the way."""
    started = perf_counter()
    try:
        return proceed(api)
    except ConnectionLost:
        silent = perf_counter() - started > PATIENCE
        if silent or (api.current_event.http_method != "GET" and _key(api) is None):
            raise
        return proceed(api)


def _answer_once(api: HttpApi, proceed: Callable[[HttpApi], Response[Any]]) -> Response[Any]:
    """Answer a signed-in POST with an Idempotency-Key once, and repeat that answer to whoever repeats the request."""
    event, key = api.current_event, _key(api)
    if key is None:
        return proceed(api)
    if not _KEY.fullmatch(key):
        raise ValidationFailed("Idempotency-Key: 1 to 255 printable ASCII characters")
    query = event.raw_query_string
    request = f"{event.http_method} {event.raw_path}{'?' if query else ''}{query}"
    with enclosing_transaction() as connection:
        try:
            record = idempotency.claim(
                connection,
                api.caller,
                request,
                key,
                bodies.octets(event.raw_event),
                staff=api.who == "staff",
                now=utc_now(),
            )
        except DBAPIError as error:
            if sqlstate(error.orig) == "55P03":
                raise IdempotencyInProgress(retry_after=1) from error
            raise
        if record.answer is not None:
            media_type = bodies.JSON if record.answer else None
            return Response(record.status or 200, media_type, record.answer, headers={"Idempotency-Replayed": "true"})
        response = proceed(api)
        idempotency.keep(connection, record, response.status_code, _written(response))
    return response


def _written(response: Response[Any]) -> str:
    """The body as it will be sent, to the byte, and in the response from now on."""
    response.body = "" if response.body is None else json.dumps(response.body, separators=(",", ":"))
    return response.body


def _as_problem(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _as_validation_problem(error)
        case NotFoundError():
            return NotFound()
    return Problem(reason=type(error).__name__)


def _as_validation_problem(error: RequestValidationError) -> Problem:
    """Where in the request what is wrong, by JSON pointers (RFC 6901); an impossible id in the path names nothing."""
    errors = []
    for fault in error.errors():
        source, *path = fault["loc"]
        if source == "path":
            return NotFound()
        if source == "response":  # our own answer: a defect, not the caller's
            return Problem(reason=f"{fault['loc']}: {fault['msg']}")
        pointer = "" if source == "header" else _pointer(path)
        errors.append({"pointer": pointer, "detail": fault["msg"].removeprefix("Value error, ")})
    return ValidationFailed(errors=errors[:MOST_FAULTS])


def _pointer(steps: Iterable[object]) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _as_answer(response: Response[str]) -> Answer:
    return {
        "statusCode": response.status_code,
        "headers": dict(response.headers),
        "body": response.body,
        "isBase64Encoded": False,
    }


def _rfc3339(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
