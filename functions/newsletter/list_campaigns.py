"""GET /v1/admin/campaigns: staff list the campaigns, newest first."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.newsletter import campaigns
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.newsletter import ListedCampaign
from goatedvips.validators.pagination import Cursor, Limit, Page

api = HttpApi("staff")


@api.get("/v1/admin/campaigns")
def list_campaigns(limit: Limit = 20, cursor: Cursor = None) -> Page[ListedCampaign]:
    """A single campaign has its text, its counts and its preview."""
    with reading() as connection:
        page = campaigns.newest(connection, api.caller, limit=limit, cursor=cursor, now=utc_now())
    return Page[ListedCampaign].model_validate(page)


handler = lambda_handler(api)
