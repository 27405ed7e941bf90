"""GET /v1/admin/rewards: staff list rewards, newest first."""

from goatedvips.clock import utc_now
from goatedvips.db import reading
from goatedvips.domain.rewards import lists
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.rewards import GrantedReward, MemberFilter, StateFilter

api = HttpApi("staff")


@api.get("/v1/admin/rewards")
def list_rewards(
    *, user_id: MemberFilter = None, state: StateFilter = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[GrantedReward]:
    """Rewards of all members, or of one member and then also by state."""
    with reading() as connection:
        page = lists.newest(
            connection, api.caller, user_id=user_id, state=state, limit=limit, cursor=cursor, now=utc_now()
        )
        return Page[GrantedReward].model_validate(page)


handler = lambda_handler(api)
