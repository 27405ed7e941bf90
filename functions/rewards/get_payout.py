"""GET /v1/admin/payouts/{id}: staff read a payout with its rewards."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.rewards import payments
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.fields import PathId
from goatedvips.validators.rewards import PayoutWithRewards

api = HttpApi("staff")


@api.get("/v1/admin/payouts/<id>")
def get_payout(id: PathId) -> PayoutWithRewards:  # noqa: A002
    """The amount of the payout is the sum of its rewards."""
    with reading() as connection:
        return PayoutWithRewards.model_validate(payments.get(connection, api.caller, id, now=utc_now()))


handler = lambda_handler(api)
