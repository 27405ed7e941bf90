"""/docs: the API's OpenAPI document in Swagger UI. Powertools contains its files, so nothing comes from a CDN."""

from pathlib import Path

import aws_lambda_powertools
from flask import Flask, Response, redirect, send_from_directory
from werkzeug.wrappers import Response as BaseResponse

ASSETS = Path(aws_lambda_powertools.__file__).parent / "event_handler" / "openapi" / "swagger_ui"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>GoatedVIPs API</title>
<link rel="stylesheet" href="/docs/swagger-ui.min.css"><link rel="icon" href="data:,"></head>
<body><div id="swagger-ui">Loading…</div>
<script src="/docs/swagger-ui-bundle.min.js"></script>
<script>
SwaggerUIBundle({
  url: "/v1/openapi.json", dom_id: "#swagger-ui", deepLinking: true, filter: true, validatorUrl: null,
  persistAuthorization: true, presets: [SwaggerUIBundle.presets.apis],
});
</script></body></html>
"""


def serve(app: Flask) -> None:
    """Add the page and its two files."""

    @app.get("/")
    def redirect_root() -> BaseResponse:
        return redirect("/docs")

    @app.get("/docs")
    def show_page() -> str:
        return PAGE

    @app.get("/docs/<any('swagger-ui-bundle.min.js', 'swagger-ui.min.css'):name>")
    def send_asset(name: str) -> Response:
        return send_from_directory(ASSETS, name, max_age=3600)
