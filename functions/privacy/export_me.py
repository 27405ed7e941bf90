"""GET /v1/me/export: everything about a member, as one JSON document.

It is sent as gzip whatever is asked for: unpacked, the answer may be more than the gateway lets through.
"""

from aws_lambda_powertools.event_handler import Response

from goatedvips.clock import utc_now
from goatedvips.db import repeatable_read
from goatedvips.domain.privacy import export
from goatedvips.http import HttpApi, download, lambda_handler
from goatedvips.validators import privacy

SCHEMA = {"type": "object", "description": "`exported_at`, `member`, and by each table's name a list of rows"}

api = HttpApi("member")


@api.get(
    "/v1/me/export", responses={200: {"description": "As gzip", "content": {"application/json": {"schema": SCHEMA}}}}
)
def export_me() -> Response[str]:
    now = utc_now()
    with repeatable_read() as connection:
        packed = export.packed(privacy.document(now, export.everything(connection, api.caller, now=now)))
    return download(packed, "goatedvips-export.json")


handler = lambda_handler(api)
