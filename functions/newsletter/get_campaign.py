"""GET /v1/admin/campaigns/{id}: staff look at a campaign, with its counts, or a preview of who will get it."""

from goatedvips.clock import utc_now
from goatedvips.config import settings
from goatedvips.db import reading
from goatedvips.domain.newsletter import campaigns
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.newsletter import CampaignDetails

api = HttpApi("staff")


@api.get("/v1/admin/campaigns/<id>")
def get_campaign(id: PathId) -> CampaignDetails:  # noqa: A002
    """Opens and clicks are not counted: no mail has anything that would report them."""
    with reading() as connection:
        found = campaigns.get(connection, api.caller, id, rate=settings.mail_rate, now=utc_now())
    return CampaignDetails.model_validate(found)


handler = lambda_handler(api)
