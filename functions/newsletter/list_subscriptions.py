"""GET /v1/admin/newsletter/subscriptions: staff list subscriptions, newest first, or download them as CSV."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.newsletter import subscribers
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.http.csv_pages import CSV_ROWS, csv_page, json_page
from goatedvips.validators.newsletter import Subscription
from goatedvips.validators.pagination import Cursor, Format, Limit, Page

api = HttpApi("staff")


@api.get("/v1/admin/newsletter/subscriptions")
def list_subscriptions(
    *,
    format: Format = "json",  # noqa: A002
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response[Page[Subscription] | str]:
    """Pending and ended subscriptions are in the list too."""
    rows = CSV_ROWS if format == "csv" else limit
    with reading() as connection:
        page = subscribers.newest(connection, api.caller, limit=rows, cursor=cursor, now=utc_now())
        answer = Page[Subscription].model_validate(page)
    return csv_page(api, Subscription, answer.items, answer.next_cursor) if format == "csv" else json_page(answer)


handler = lambda_handler(api)
