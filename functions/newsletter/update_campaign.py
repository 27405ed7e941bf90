"""PATCH /v1/admin/campaigns/{id}: staff change a campaign, schedule, pause, resume or cancel it."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.newsletter import campaign_changes
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.newsletter import Campaign, CampaignUpdate

api = HttpApi("staff")


@api.patch("/v1/admin/campaigns/<id>")
def update_campaign(id: PathId, body: CampaignUpdate) -> Campaign:  # noqa: A002
    """Only its status changes once its first recipients are queued.

    A campaign that is resumed goes on with a fresh count of bounces and complaints.
    """
    with transaction() as connection:
        changed = campaign_changes.change(connection, api.caller, id, body.changes, now=utc_now())
    return Campaign.model_validate(changed)


handler = lambda_handler(api)
