"""PUT /v1/admin/tiers: staff publish a new version of the tiers."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.wagers import tier_versions
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.wagers import TiersRequest, TierVersion

api = HttpApi("staff")


@api.put("/v1/admin/tiers", status_code=201)
def publish_tiers(body: TiersRequest) -> TierVersion:
    """It is in force at once. A tier is the same in all versions by its name, and nobody loses one.

    Members whose wager has passed a new tier have it from now on, without its reward. An ingest in progress is waited
    for.
    """
    tiers = [tier_versions.Tier(**tier.model_dump()) for tier in body.tiers]
    with transaction() as connection:
        return TierVersion.model_validate(tier_versions.publish(connection, api.caller, tiers, now=utc_now()))


handler = lambda_handler(api)
