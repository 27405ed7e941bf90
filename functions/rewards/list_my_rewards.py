"""GET /v1/me/rewards: a member's rewards, newest first."""

from goatedvips.db import reading
from goatedvips.domain.rewards import lists
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.rewards import Reward

api = HttpApi("member")


@api.get("/v1/me/rewards")
def list_my_rewards(limit: Limit = 20, cursor: Cursor = None) -> Page[Reward]:
    """A win is in the list once its code was claimed."""
    with reading() as connection:
        page = lists.newest_of_caller(connection, api.caller, limit=limit, cursor=cursor)
        return Page[Reward].model_validate(page)


handler = lambda_handler(api)
