"""GET /v1/wheel/seeds: the server seeds of a member, newest first."""

from goatedvips.db import reading
from goatedvips.domain.wheel import rotation
from goatedvips.http import HttpApi, lambda_handler
from goatedvips.validators.pagination import Cursor, Limit, Page
from goatedvips.validators.wheel import ServerSeed

api = HttpApi("member")


@api.get("/v1/wheel/seeds")
def list_seeds(limit: Limit = 20, cursor: Cursor = None) -> Page[ServerSeed]:
    """Each item has the commitment of the server seed, and the server seed itself once it is revealed."""
    with reading() as connection:
        return Page[ServerSeed].model_validate(rotation.newest(connection, api.caller, limit=limit, cursor=cursor))


handler = lambda_handler(api)
