"""POST /v1/admin/payouts: staff pay out the open rewards, one payout for each member."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.rewards import payouts
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.rewards import PayoutBatch, PayoutsRequest

api = HttpApi("staff")


@api.post("/v1/admin/payouts", status_code=201)
def create_payouts(body: PayoutsRequest) -> PayoutBatch:
    """A payout is paid once it has a reference. Until then it can be withdrawn."""
    with transaction() as connection:
        batch = payouts.create(connection, api.caller, **body.model_dump(), now=utc_now())
    return PayoutBatch.model_validate(batch)


handler = lambda_handler(api)
