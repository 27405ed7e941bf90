"""GET /v1/admin/codes: staff list bonus codes, newest first, or download them as CSV."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.codes import issued
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.http.csv_pages import CSV_ROWS, csv_page, json_page
from goatedvips.validators.codes import BatchFilter, CodeFilter, ListedCode
from goatedvips.validators.pagination import Cursor, Format, Limit, Page

api = HttpApi("staff")


@api.get("/v1/admin/codes")
def list_issued_codes(
    *,
    batch_id: BatchFilter = None,
    code: CodeFilter = None,
    format: Format = "json",  # noqa: A002
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response[Page[ListedCode] | str]:
    """Won codes and codes that are older than this platform are in the list too."""
    rows = CSV_ROWS if format == "csv" else limit
    with reading() as connection:
        page = issued.newest(
            connection, api.caller, batch_id=batch_id, code=code, limit=rows, cursor=cursor, now=utc_now()
        )
        answer = Page[ListedCode].model_validate(page)
    return csv_page(api, ListedCode, answer.items, answer.next_cursor) if format == "csv" else json_page(answer)


handler = lambda_handler(api)
