"""The stand-in for push services on the server of the local API: the services, and the pages of /push."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.wrappers import Request as HttpRequest
from werkzeug.wrappers import Response as HttpResponse

from local.stand_ins.push import browsers, page
from local.stand_ins.push.service import Behaviour, PushService

PREFIX = "/push-services"
"""Behind it come host and path of the endpoint."""

type Environ = dict[str, Any]


def serve(app: Flask, service: PushService) -> None:
    """Add all push services below `PREFIX`, and the pages of /push."""
    others = app.wsgi_app

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(f"{PREFIX}/"):
            return others(environ, start_response)
        came = HttpRequest(environ)
        if came.method != "POST":
            return HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED)(environ, start_response)
        endpoint = "https://" + environ["RAW_URI"].removeprefix(f"{PREFIX}/")  # as it was sent, not decoded
        status, headers, text = service.take(endpoint, came.headers, came.get_data())
        return HttpResponse(text, status, headers)(environ, start_response)

    app.wsgi_app = answer  # type: ignore[method-assign]

    @app.get("/push.json")
    def list_pushes() -> Response:
        return jsonify(items=[asdict(caught) for caught in service.find(request.args.get("endpoint", ""))])

    @app.get("/push")
    def show_pushes() -> str:
        return page.render(service.find(request.args.get("endpoint", "")))

    @app.post("/push/browsers")
    def subscribe_browser() -> tuple[Response, int]:
        return jsonify(browsers.subscribe()), HTTPStatus.CREATED

    @app.route("/push/behaviour", methods=["GET", "PUT"])
    def push_behaviour() -> tuple[Response, int]:
        if request.method == "PUT":
            try:
                service.behaviour = Behaviour.parse(request.get_json(force=True))
            except (ValueError, TypeError) as error:
                return jsonify(message=str(error)), HTTPStatus.BAD_REQUEST
        return jsonify(asdict(service.behaviour)), HTTPStatus.OK
