"""GET /v1/admin/account-links: staff list requests to link casino accounts."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.accounts import link_requests
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.accounts.links import AccountLink, LinkStatus
from goatedvips.validators.pagination import Cursor, Limit, Page

api = HttpApi("staff")


@api.get("/v1/admin/account-links")
def list_links(status: LinkStatus = "pending", limit: Limit = 20, cursor: Cursor = None) -> Page[AccountLink]:
    """Pending requests are listed oldest first, decided ones newest first."""
    with reading() as connection:
        page = link_requests.read_page(connection, api.caller, status, limit=limit, cursor=cursor, now=utc_now())
    return Page[AccountLink].model_validate(page)


handler = lambda_handler(api)
