"""GET /v1/me/export: a member exports all their personal data as one JSON document.

The answer is compressed with gzip whatever `Accept-Encoding` says: uncompressed it may exceed the gateway's limit.
"""

from goatedvips.clock import utc_now
from goatedvips.db import repeatable_read
from goatedvips.domain.privacy import export
from goatedvips.http import HttpApi, Response, download, lambda_handler
from goatedvips.validators import privacy

SCHEMA = {
    "type": "object",
    "description": "`exported_at`, `member`, and for each table a list of the member's rows, under the table's name.",
}

api = HttpApi("member")


@api.get(
    "/v1/me/export",
    responses={
        200: {"description": "The document, compressed with gzip.", "content": {"application/json": {"schema": SCHEMA}}}
    },
)
def export_me() -> Response[str]:
    """The response is gzip, one list of rows for each kind of record."""
    now = utc_now()
    with repeatable_read() as connection:
        packed = export.pack(privacy.document(now, export.everything(connection, api.caller, now=now)))
    return download(packed, "goatedvips-export.json")


handler = lambda_handler(api)
