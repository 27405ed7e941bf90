"""POST /v1/admin/campaigns/{id}/test: staff have a campaign mailed to themselves."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.newsletter import campaigns
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.newsletter import CampaignTest

api = HttpApi("staff")


@api.post("/v1/admin/campaigns/<id>/test", status_code=202)
def test_campaign(id: PathId) -> CampaignTest:  # noqa: A002
    """The mail goes to the e-mail address of the caller and counts nowhere."""
    with transaction() as connection:
        email = campaigns.send_test(connection, api.caller, id, now=utc_now())
    return CampaignTest(email=email)


handler = lambda_handler(api)
