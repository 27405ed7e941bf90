"""The resolver of all handlers: it finds out who calls, runs the route, logs and measures, and answers every error."""

import re
from collections.abc import Callable
from time import perf_counter
from typing import Any, Literal, override

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from goatedvips import resume_garbage_collection
from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.domain import first_statements
from goatedvips.domain.callers import Caller
from goatedvips.errors import (
    ConnectionLost,
    Forbidden,
    NotFound,
    TransactionConflict,
    Unauthenticated,
    ValidationFailed,
)
from goatedvips.http.bodies import discard, parse, prepare
from goatedvips.http.client_networks import client_network
from goatedvips.http.idempotency import Database, answer_once
from goatedvips.http.operation import Operation
from goatedvips.http.problems import pointer, problem_of, problem_response
from goatedvips.http.request_line import write_line
from goatedvips.http.responses import serialized

logger = Logger(service="goatedvips")

type Event = dict[str, Any]
type Answer = dict[str, Any]
type Who = Literal["anyone", "member", "staff"]

RETRY_WITHIN = 3.0  # seconds; a database that stayed silent for longer is not tried again
_WITHOUT_BODY = {"GET", "HEAD"}  # a body has no meaning there (RFC 9110, section 9.3.1)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class HttpApi(APIGatewayHttpResolver):
    """The resolver of one handler.

    Parameters
    ----------
    who: whom the route is for. The caller is checked before the request's path parameters and body are read.
    keyed: whether a signed-in POST honours an Idempotency-Key. False for a body with a password: the attempt must be
        committed before the password is compared, and the stored fast hash of the body would reveal the password.
    key_required: whether a POST without an Idempotency-Key is refused, because carrying it out twice would be costly.
    database: the edge that the handler uses, if it is `goatedvips.light_db`; else `goatedvips.db`.
    page: whether the routes are a page for people: no body is read, whatever its form, and a refusal is a page too if
        the client prefers HTML.
    """

    def __init__(
        self,
        who: Who,
        *,
        keyed: bool = True,
        key_required: bool = False,
        database: Database | None = None,
        page: bool = False,
    ) -> None:
        super().__init__(enable_validation=True, json_body_deserializer=parse)
        self.who = who
        self.keyed = keyed and who != "anyone"
        self.key_required = key_required
        self.database = database
        self.page = page
        self._operations: list[Operation] = []

    def prepare(self) -> None:
        """Find out the parameters of each route, which Powertools would do at the first request."""
        self._operations = [Operation(route) for route in (*self._static_routes, *self._dynamic_routes)]

    @property
    def caller(self) -> Caller:
        """Who sent the present request."""
        return self._caller

    def _authenticated(self) -> Caller:
        """Return the caller as the authorizer reported it; looked up here if the authorizer had no database.

        Raises
        ------
        Unauthenticated: no live session has this token.
        Forbidden: the route is for staff, and the caller is not.
        DatabaseUnavailable, SchemaOutdated
        """
        reported = self._event["requestContext"].get("authorizer", {}).get("lambda") or {}
        if "undecided" in reported:
            reported = _look_up_session(self._event["headers"].get("authorization", ""))
        if "session_id" not in reported:
            raise Unauthenticated
        if self.who == "staff" and reported["is_staff"] is not True:
            raise Forbidden
        return Caller(
            user_id=int(reported["user_id"]),
            session_id=int(reported["session_id"]),
            request_id=self.request_id,
            verified_email_required=settings.verified_email_required,
        )

    @property
    def method(self) -> str:
        """The method of the present request. Powertools' event would make objects of its parts each time."""
        return str(self._event["requestContext"]["http"]["method"])

    @property
    def request_id(self) -> str:
        """API Gateway's id of the present request: in every log line and answer."""
        return str(self._event["requestContext"]["requestId"])

    @property
    def client_network(self) -> str:
        """The client's network as the throttles count it."""
        return client_network(self._event)

    @override
    def resolve(self, event: Event, context: Any) -> Answer:  # type: ignore[override]  # Lambda's events are dicts
        """Answer one event of payload format 2.0, whatever is wrong with it."""
        self._event = event
        http = event["requestContext"]["http"]
        started = perf_counter()
        logger.append_keys(request_id=self.request_id, function=context.function_name)  # until the next request's
        self._log_fields: dict[str, object] = {"method": http["method"], "path": http["path"]}
        try:
            if self.who != "anyone":
                self._caller = self._authenticated()
                self._log_fields["user_id"] = self.caller.user_id
            _prepare(event, reads_body=not self.page)
            self.current_event = APIGatewayProxyEventV2(event, parse)
            answer = _as_answer(self._respond())
        except Exception as error:  # noqa: BLE001 - every error is answered, never by a stack trace
            answer = _as_answer(self._refuse(error))
        milliseconds = round((perf_counter() - started) * 1000, 1)
        answer["headers"]["X-Request-Id"] = self.request_id
        if http["method"] == "HEAD":  # the same answer without its content (RFC 9110, section 9.3.2)
            answer |= {"body": "", "isBase64Encoded": False}
        write_line(context.function_name, self.request_id, int(answer["statusCode"]), milliseconds, self._log_fields)
        return answer

    def _respond(self) -> Response[Any]:
        """Carry the present request out.

        Raises
        ------
        NotFound: no route has its method and path.
        Exception: what the function behind the route raises.
        """
        path = self.current_event.path
        for operation in self._operations:
            if operation.method == self.method and (found := operation.match(path)):
                return _carry_out(self, operation, found.groupdict())
        raise NotFound

    def _refuse(self, error: Exception) -> Response[str]:
        """Return the problem document of an exception, and log what the caller does not see."""
        problem = problem_of(error)
        self._log_fields |= {"code": problem.code, "reason": problem.reason}
        if problem.status == 500:
            logger.error("failed", exc_info=error)
        if self.page and "text/html" in self._event["headers"].get("accept", ""):
            from goatedvips.http.pages import problem_page

            return problem_page(problem.code, status=problem.status)
        return problem_response(problem, self.request_id)


def lambda_handler(api: HttpApi) -> Callable[[Event, Any], Answer]:
    """Return what Lambda calls. A handler's module ends with this call, which prepares what the first request needs."""
    api.prepare()
    if settings.database_url and api.database is None:
        from goatedvips.db import compile_ahead

        for first in first_statements.noted[-1:]:
            compile_ahead(first.statement, first.parameters)
    resume_garbage_collection()
    return api.resolve


def _prepare(event: Event, *, reads_body: bool) -> None:
    """Refuse a path or a body that no route takes.

    Parameters
    ----------
    reads_body: whether the routes read the body; else it becomes `{}`.

    Raises
    ------
    NotFound: the path has a control character; the routes' patterns would match one line feed at its end.
    BodyTooLarge, UnsupportedMediaType, MalformedRequest
    """
    if _CONTROL.search(event["rawPath"]):
        raise NotFound
    if event["requestContext"]["http"]["method"] not in _WITHOUT_BODY:
        (prepare if reads_body else discard)(event)


def _look_up_session(authorization: str) -> dict[str, Any]:
    """Return what the authorizer would have reported for this header: empty if there is no live session."""
    from goatedvips.db import reading  # seldom needed
    from goatedvips.domain.accounts import authentication, sessions

    token = authentication.bearer_token(authorization)
    if token is None:
        return {}
    with reading() as connection:
        return sessions.find_principal(connection, token, now=utc_now()) or {}


def _carry_out(api: HttpApi, operation: Operation, path: dict[str, str]) -> Response[Any]:
    """Carry a request of an operation out."""
    arguments = operation.arguments(path, api.current_event)
    if not operation.takes_body:
        _reject_fields(api)
    return _retry(api, lambda: _answer_once(api, lambda: operation.call(api, arguments)))


def _reject_fields(api: HttpApi) -> None:
    """Reject the fields of a body that the route does not take; pydantic rejects unknown ones on the others.

    Raises
    ------
    ValidationFailed
    """
    fields = {} if api.method in _WITHOUT_BODY else api.current_event.json_body
    if not isinstance(fields, dict):
        raise ValidationFailed("The request body must be an object")
    if fields:
        detail = "Extra inputs are not permitted"
        raise ValidationFailed(errors=[{"pointer": pointer([name]), "detail": detail} for name in fields])


def _idempotency_key(api: HttpApi) -> str | None:
    """Return the Idempotency-Key of a signed-in POST; None where the request has none or the header has no meaning."""
    return api.current_event["headers"].get("idempotency-key") if api.keyed and api.method == "POST" else None


def _retry(api: HttpApi, attempt: Callable[[], Response[Any]]) -> Response[Any]:
    """Run a request again whose transaction did nothing.

    After a lost connection once, if repeating is safe: a GET, or a POST with an Idempotency-Key.  After a clash of ids
    as often as it takes: nothing was committed, and each time the sequence gives the next id.
    """
    started = perf_counter()
    may_repeat = api.method == "GET" or _idempotency_key(api) is not None
    while True:
        try:
            return attempt()
        except (ConnectionLost, TransactionConflict) as error:
            is_repeatable = may_repeat if isinstance(error, ConnectionLost) else True
            if not is_repeatable or perf_counter() - started > RETRY_WITHIN:
                raise
            may_repeat = False


def _answer_once(api: HttpApi, carry_out: Callable[[], Response[Any]]) -> Response[Any]:
    """Carry out a request with an Idempotency-Key once.

    Raises
    ------
    ValidationFailed: the route requires a key, and the request has none.
    """
    key = _idempotency_key(api)
    if key is None and api.key_required:
        raise ValidationFailed("This request needs an Idempotency-Key")
    if key is None:
        return carry_out()
    return answer_once(carry_out, api.current_event, key, api.caller, staff=api.who == "staff", database=api.database)


def _as_answer(response: Response[Any]) -> Answer:
    """Return a response in payload format 2.0."""
    return {
        "statusCode": response.status_code,
        "headers": dict(response.headers),
        "body": response.body if isinstance(response.body, str) else serialized(response),
        "isBase64Encoded": response.base64_encoded,
    }
