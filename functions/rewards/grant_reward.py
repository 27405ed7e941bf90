"""POST /v1/admin/rewards: staff grant a member a reward, or correct what was granted."""

from goatedvips.clock import utc_now
from goatedvips.db import transaction
from goatedvips.domain.rewards import grants
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.rewards import GrantedReward, GrantRequest

api = HttpApi("staff", key_required=True)


@api.post("/v1/admin/rewards", status_code=201)
def grant_reward(body: GrantRequest) -> GrantedReward:
    """Nothing in the ledger changes afterwards: a mistake is made good by a correction, an amount below zero."""
    with transaction() as connection:
        reward = grants.grant(connection, api.caller, body.user_id, body.amount, body.reason, now=utc_now())
    return GrantedReward.model_validate(reward)


handler = lambda_handler(api)
