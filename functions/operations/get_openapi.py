"""GET /v1/openapi.json: the OpenAPI document of this API, for client generators and for `/docs`."""

from pathlib import Path

from goatedvips.http import HttpApi, Response, lambda_handler

api = HttpApi("anyone")


@api.get(
    "/v1/openapi.json",
    responses={200: {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}},
)
def get_openapi() -> Response[str]:
    """The document describes this API."""
    document = Path(__file__).with_name("openapi.json").read_text("utf-8")
    return Response(200, "application/json", document, headers={"Cache-Control": "public, max-age=300"})


handler = lambda_handler(api)
