"""GET /v1/wheel/spins: the spins of a member, newest first."""

from goatedvips.db import reading
from goatedvips.domain.wheel import history
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.wheel import PastSpin

api = HttpApi("member")


@api.get("/v1/wheel/spins")
def list_spins(limit: Limit = 20, cursor: Cursor = None) -> Page[PastSpin]:
    """A spin has its server seed once that seed is revealed, by `POST /v1/wheel/seeds`."""
    with reading() as connection:
        return Page[PastSpin].model_validate(history.newest(connection, api.caller, limit=limit, cursor=cursor))


handler = lambda_handler(api)
