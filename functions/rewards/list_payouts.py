"""GET /v1/admin/payouts: staff list payouts, newest first, or download them as CSV."""

from typing import Any

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.rewards import payments
from goatedvips.http import HttpApi, Response, lambda_handler
from goatedvips.http.csv_pages import CSV_ROWS, csv_page, json_page
from goatedvips.validators.pagination import Cursor, Format, Limit, Page
from goatedvips.validators.rewards import BatchFilter, MemberFilter, PaidFilter, Payout

api = HttpApi("staff")


@api.get("/v1/admin/payouts")
def list_payouts(
    *,
    batch_id: BatchFilter = None,
    user_id: MemberFilter = None,
    paid: PaidFilter = None,
    format: Format = "json",  # noqa: A002
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response[Page[Payout] | str]:
    """Withdrawn payouts are not in the list."""
    is_paid = None if paid is None else paid == "true"
    wanted: dict[str, Any] = {"batch_id": batch_id, "user_id": user_id, "paid": is_paid}
    rows = CSV_ROWS if format == "csv" else limit
    with reading() as connection:
        page = payments.newest(connection, api.caller, **wanted, limit=rows, cursor=cursor, now=utc_now())
        answer = Page[Payout].model_validate(page)
    return csv_page(api, Payout, answer.items, answer.next_cursor) if format == "csv" else json_page(answer)


handler = lambda_handler(api)
