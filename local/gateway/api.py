"""The HTTP API of template.yaml on this machine: SAM CLI's routes and authorizers over a pool of worker processes.

Where SAM CLI differs from API Gateway's HTTP API, this module corrects it: events, the cache of the authorizer's
answers, CORS, and the bodies and statuses of the gateway's own answers.
"""

import json
import threading
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, request
from samcli.local.apigw.authorizers.lambda_authorizer import LambdaAuthorizer
from samcli.local.apigw.exceptions import LambdaResponseParseException
from samcli.local.apigw.local_apigw_service import LocalApigwService
from samcli.local.apigw.path_converter import PathConverter
from samcli.local.apigw.route import Route
from werkzeug.exceptions import (
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)

from local.console import print_failure, print_log
from local.gateway.events import build_authorizer_event, build_http_event
from local.pool import FunctionError, FunctionTimeoutError, Pool
from local.sources import Sources
from local.template import Cors, Template

HOST = "127.0.0.1"
RESTART = "template.yaml or migrations/ changed: restart `make run`, which reads them when it starts."
MESSAGES = {404: "Not Found", 405: "Not Found", 500: "Internal Server Error"}


class HttpApi(LocalApigwService):  # type: ignore[misc]  # SAM CLI has no types
    """Routes requests to functions as API Gateway does."""

    def __init__(self, template: Template, pool: Pool, port: int) -> None:
        """Build the application. It does not listen yet."""
        super().__init__(template.api, SimpleNamespace(is_debugging=lambda: False), host=HOST, port=port)
        self.pool, self.template = pool, template
        self._read_at_start = Sources((template.file, template.file.parent / "migrations"))
        self._answers: dict[tuple[str, ...], tuple[datetime, dict[str, Any]]] = {}
        self._answers_lock = threading.Lock()
        self.create()

    @property
    def app(self) -> Flask:
        """The application, to which the mail catcher and the documentation are added."""
        app: Flask = self._app
        return app

    def create(self) -> None:
        """Register the template's routes, and the hooks that act as the gateway around them."""
        super().create()
        self.app.url_map.merge_slashes = False
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self.app.register_error_handler(HTTPException, _gateway_answer)
        self.app.register_error_handler(Exception, _failure)

    def _construct_error_handling(self) -> None:
        """Register none of SAM CLI's error handlers: they answer as a REST API does, not as an HTTP API."""

    def _before(self) -> Response | None:
        """Answer CORS preflights, and refuse a trailing slash, which Flask accepts and an HTTP API does not."""
        if request.method == "OPTIONS":  # SAM CLI adds this method to every route; the template has no such route
            if self.template.cors.origins and "Access-Control-Request-Method" in request.headers:
                return Response(status=204)
            raise NotFound
        if request.path.endswith("/") and len(request.path) > 1:
            raise NotFound
        return None

    def _after(self, response: Response) -> Response:
        """Replace a function's CORS headers by the gateway's, as API Gateway does."""
        cors = self.template.cors
        if cors.origins:
            for name in {name for name, _ in response.headers if name.lower().startswith("access-control-")}:
                del response.headers[name]
            preflight = request.method == "OPTIONS"
            response.headers.update(build_cors_headers(cors, request.headers.get("Origin"), preflight=preflight))
        return response

    def _request_handler(self, **parameters: str) -> Response:
        """Authorize the request, run its function and return the function's answer."""
        try:
            route: Route = self._get_current_route(request)
        except KeyError:  # HEAD: Flask adds it to every GET
            raise NotFound from None
        path = PathConverter.convert_path_to_api_gateway(request.endpoint)
        route_key = self._v2_route_key(request.method, path, route.is_default_route)
        event = build_http_event(request, route_key, parameters, self.pool.clock.now())
        if route.authorizer_object:
            event["requestContext"]["authorizer"] = {"lambda": self._authorize(route, event)}
        if self._read_at_start.have_changed():
            print(RESTART, flush=True)
        offset = self.pool.log.stat().st_size
        answer = self._answer(self._call(route.function_name, event))
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            print_log(self.pool.log, offset, event["requestContext"]["requestId"])
        return answer

    def _authorize(self, route: Route, event: dict[str, Any]) -> dict[str, Any]:
        """Return the context from the route's authorizer; its answers are cached as long as the template says.

        The time is the platform's, whose clock may be moved: sessions slide when the authorizer is asked.
        """
        if not self._valid_identity_sources(request, route):
            raise Unauthorized
        authorizer: LambdaAuthorizer = route.authorizer_object
        sources = {
            "headers": request.headers,
            "querystring": request.query_string.decode("latin-1"),
            "context": event["requestContext"],
            "stageVariables": None,
        }
        identity = [str(source.find_identity_value(**sources)) for source in authorizer.identity_sources]
        key = (authorizer.authorizer_name, *identity)
        with self._answers_lock:
            until, answer = self._answers.get(key, (datetime.min.replace(tzinfo=UTC), {}))
        now = self.pool.clock.now()
        if now >= until:
            try:
                answer = self._call(authorizer.lambda_name, build_authorizer_event(event, identity))
            except ServiceUnavailable:
                raise InternalServerError from None
            seconds = self.template.authorizer_seconds.get(authorizer.authorizer_name, 0)
            with self._answers_lock:
                self._answers[key] = (now + timedelta(seconds=seconds), answer)
        if not isinstance(answer, dict) or not isinstance(answer.get("isAuthorized"), bool):
            raise InternalServerError
        if not answer["isAuthorized"]:
            raise Forbidden
        context: dict[str, Any] = answer.get("context") or {}
        return context

    def _call(self, function: str, event: dict[str, Any]) -> Any:  # noqa: ANN401  any JSON value
        try:
            return self.pool.invoke(function, event)
        except FunctionTimeoutError as error:
            print_failure(error)
            raise ServiceUnavailable from None
        except FunctionError as error:
            print_failure(error)
            raise InternalServerError from None

    def _answer(self, value: Any) -> Response:  # noqa: ANN401  any JSON value
        """Convert a function's return value into an answer; a value that is not convertible is answered 500."""
        try:
            status, headers, body = self._parse_v2_payload_format_lambda_output(json.dumps(value), [], request)
        except LambdaResponseParseException:
            raise InternalServerError from None
        return Response(body or b"", status=status, headers=headers)


def build_cors_headers(cors: Cors, origin: str | None, *, preflight: bool) -> dict[str, str]:
    """Return the CORS headers of an answer to a page from an origin; none if the origin is not allowed."""
    if not origin or not {"*", origin} & set(cors.origins):
        return {}
    headers = {"Access-Control-Allow-Origin": "*" if "*" in cors.origins else origin}
    if cors.credentials:
        headers["Access-Control-Allow-Credentials"] = "true"
    if cors.exposed:
        headers["Access-Control-Expose-Headers"] = cors.exposed
    if preflight:
        wanted = (
            ("Access-Control-Allow-Methods", cors.methods),
            ("Access-Control-Allow-Headers", cors.headers),
            ("Access-Control-Max-Age", cors.max_age),
        )
        headers |= {name: value for name, value in wanted if value}
    return headers


def _gateway_answer(error: HTTPException) -> Response:
    """Answer as API Gateway itself does, with the single field `message`."""
    status = error.code or 500
    message = MESSAGES.get(status, error.name)
    status = 404 if status == 405 else status  # noqa: PLR2004
    return Response(f'{{"message":"{message}"}}', status=status, content_type="application/json")


def _failure(error: Exception) -> Response:
    print_failure(error)
    return _gateway_answer(InternalServerError())
