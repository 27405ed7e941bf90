"""POST /v1/admin/campaigns: staff write a campaign. It is a draft until they schedule it."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.newsletter import campaign_changes
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.newsletter import Campaign, CampaignRequest

api = HttpApi("staff")


@api.post("/v1/admin/campaigns", status_code=201)
def create_campaign(body: CampaignRequest) -> Campaign:
    """Nothing is sent until its status is changed to `scheduled`."""
    with transaction() as connection:
        created = campaign_changes.create(connection, api.caller, body.model_dump(), now=utc_now())
    return Campaign.model_validate(created)


handler = lambda_handler(api)
